; Linux 2.6, 32-bit: Debian 4 to 6, RHEL 4 to 6, Ubuntu 4.10 to 11.04, SLES 9 to 11.
[profile]
inherit = generic
summary = Linux 2.6, 32-bit (Debian 4-6, RHEL 4-6, Ubuntu to 11.04)

[machine]
memory = 256M
; Unix systems keep UTC in the real-time clock.
utc = yes

[cpu]
; With SSE2, which programs of the time begin to ask for.
model = pentium4

[net]
; pcnet32 is in every 2.6 kernel package.
card = pcnet

[stop]
; acpid or, failing that, init's ctrlaltdel, which shuts down and resets.
power-button = yes
keys = ctrl-alt-del
timeout = 150
