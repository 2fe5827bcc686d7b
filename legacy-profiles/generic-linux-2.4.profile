; Linux 2.4: Debian 3.0 and 3.1, Red Hat 7 to 9, RHEL 3, SuSE 8 and 9.
[profile]
inherit = generic
summary = Linux 2.4 (Debian 3.x, Red Hat 7-9, RHEL 3, SuSE 8/9)

[machine]
memory = 128M
; Unix systems keep UTC in the real-time clock.
utc = yes

[cpu]
; PAE (bigmem) kernels need a Pentium Pro or newer, and SSE is the newest that 2.4.0 saves.
model = pentium3

[net]
; pcnet32 is in every 2.4 kernel package.
card = pcnet

[stop]
; 2.4 has ACPI, but few systems ran acpid: the button first, then init's ctrlaltdel, which shuts down and resets.
power-button = yes
keys = ctrl-alt-del
timeout = 150
