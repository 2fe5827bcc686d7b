; Windows XP.
[profile]
inherit = generic-2005
summary = Windows XP

[machine]
; The recommended 512 MB [osinfo-db]; activation counts the range that the old machine had, which the import pins.
memory = 512M
; Its HAL with ACPI, which nearly all have, needs it.
acpi = yes
utc = no

[stop]
; The power button shuts it down, unless somebody chose otherwise.
power-button = yes
timeout = 120
