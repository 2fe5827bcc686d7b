; Windows Me.
[profile]
inherit = generic-2000
summary = Windows Me

[machine]
; Recommended are 64 MB; its disk cache is that of Windows 98, which fails at 512 MB [KB253912].
memory = 128M
acpi = yes
; The real-time clock holds local time.
utc = no
