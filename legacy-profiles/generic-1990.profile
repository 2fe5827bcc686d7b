; A 486 of about 1990: DOS up to 5, OS/2 1.x, Xenix, early Unix.
[profile]
inherit = generic
summary = a 486 of about 1990: DOS 3 to 5, OS/2 1.x, Xenix

[machine]
; IBM's OS/2 1.0 fails with more than 8 MB [os2museum: IBM OS/2 1.0 in a VM].
memory = 8M
; No ACPI before 1996: an unknown SCI on IRQ 9 is one surprise less.
acpi = no

[cpu]
; Without CPUID, as systems of the time expect; nothing of 1990 needs more.
model = 486

[stop]
power-button = no
