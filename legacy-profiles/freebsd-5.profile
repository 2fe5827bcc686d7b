; FreeBSD 5 and later, 32-bit.
[profile]
inherit = generic-2005
summary = FreeBSD 5 and later, 32-bit

[machine]
memory = 256M
acpi = yes
utc = yes

[stop]
; acpi(4) starts shutdown at the button's press; syscons does at Ctrl-Alt-Del.
power-button = yes
keys = ctrl-alt-del
timeout = 150
