; Linux 2.0.
[profile]
inherit = generic-linux-2.2
summary = Linux 2.0 (Debian 1.3 and 2.0, Red Hat 4 and 5, SuSE 5)

[machine]
; setup.S asks by E801h and 88h [linux 2.0.40, arch/i386/boot/setup.S]; older loaders pass 64 MB at most.
memory = 64M

[cpu]
; CPU identification ends with the Pentium Pro.
model = pentium-mmx
