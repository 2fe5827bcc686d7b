; Windows 2000, Professional and Server.
[profile]
inherit = generic-2000
summary = Windows 2000, Professional and Server

[machine]
; Above the 96 MB that it recommends.
memory = 256M
; Its HAL with ACPI needs it, the Standard PC HAL does not mind.
acpi = yes
utc = no
