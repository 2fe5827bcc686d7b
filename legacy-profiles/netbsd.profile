; NetBSD.
[profile]
inherit = generic-2000
summary = NetBSD

[machine]
memory = 128M
; i386 ports before 3.0 know no ACPI; later ones go without.
acpi = no
utc = yes

[stop]
; Ctrl-Alt-Del means nothing to wscons: an operator runs shutdown.
power-button = no
