; Windows 3.0, 3.1 and Windows for Workgroups 3.11 on DOS.
[profile]
inherit = generic-dos
summary = Windows 3.x and Windows for Workgroups 3.11 on DOS

[machine]
; Stock HIMEM.SYS sees at most 64 MB, enhanced mode 256 MB with its swap file [KB116256, KB84388].
memory = 32M

[cpu]
; Of its time. The delay loop by which NDIS.386 of 3.11 divides is slowed down by the translator [docs/quirks.md, delay-loops].
model = pentium

[net]
; AM2100.DOS of 3.11 is PCnet's driver, in the box [KB92994].
card = pcnet
