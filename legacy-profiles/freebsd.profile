; FreeBSD 2 to 4.
[profile]
inherit = generic-2000
summary = FreeBSD 2 to 4

[machine]
memory = 128M
; ACPI came with 5.0.
acpi = no
; Unix systems keep UTC in the real-time clock, unless set up beside Windows.
utc = yes

[cpu]
model = pentium2

[stop]
; syscons takes Ctrl-Alt-Del for shutdown and reset, which ends the run.
power-button = no
keys = ctrl-alt-del
timeout = 120
