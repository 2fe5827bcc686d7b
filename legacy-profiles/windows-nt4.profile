; Windows NT 4.0, Workstation and Server.
[profile]
inherit = generic-2000
summary = Windows NT 4.0, Workstation and Server

[machine]
memory = 128M
; The Standard PC HAL knows no ACPI [v86, notes on Windows NT].
acpi = no
utc = no

[cpu]
; Of its time. With CPUID leaves above 3 it stops with 3E [VirtualBox NT4LeafLimit]; this model has two.
model = pentium2

[stop]
; Ctrl-Alt-Del asks at the console; only somebody who sits there can answer.
power-button = no
