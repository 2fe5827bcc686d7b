; Solaris 2 to 9 on x86.
[profile]
inherit = generic-2000
summary = Solaris 2 to 9 on x86

[machine]
; Solaris 7 wants 64 MB, 9 wants 128 MB.
memory = 256M
; Solaris knows no ACPI before 10.
acpi = no
; rtc(1M) keeps local time in the clock, as the PC's other systems do.
utc = no

[cpu]
model = pentium2

[net]
; pcn is in the box since 2.4.
card = pcnet

[stop]
power-button = no
