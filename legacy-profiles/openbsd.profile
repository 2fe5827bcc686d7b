; OpenBSD.
[profile]
inherit = generic-2000
summary = OpenBSD

[machine]
memory = 128M
; i386 before 4.2 knows no ACPI; later releases go without.
acpi = no
utc = yes

[stop]
; Ctrl-Alt-Del shuts down only where machdep.kbdreset is set.
power-button = no
keys = ctrl-alt-del
timeout = 120
