; Linux 2.2: Debian 2.1 and 2.2, Red Hat 6, SuSE 6.
[profile]
inherit = generic
summary = Linux 2.2 (Debian 2.x, Red Hat 6, SuSE 6)

[machine]
; 2.2 asks the BIOS by E801h and 88h, not E820h, which is enough for this [linux 2.2.1, arch/i386/boot/setup.S].
memory = 64M
; 2.2 has no ACPI driver: the SCI would only be an interrupt that nobody serves.
acpi = no
; Unix systems keep UTC in the real-time clock.
utc = yes

[cpu]
; Its CPU table ends with the Pentium II and III; SSE needs 2.4.
model = pentium2

[net]
; pcnet32 is in every 2.2 kernel package.
card = pcnet

[stop]
; No power button without ACPI: init's ctrlaltdel line shuts down and resets, which ends the run.
power-button = no
keys = ctrl-alt-del
timeout = 120
