; Windows Server 2003.
[profile]
inherit = generic-2005
summary = Windows Server 2003

[machine]
; Recommended are 256 MB; services like more [osinfo-db].
memory = 512M
acpi = yes
utc = no

[stop]
; Nobody may be logged on: the button then shuts down only if the policy allows it.
power-button = yes
timeout = 150
