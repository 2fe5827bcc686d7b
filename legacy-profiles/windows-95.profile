; Windows 95, all releases.
[profile]
inherit = generic-1995
summary = Windows 95

[machine]
; Reliable up to some 512 MB: the disk cache takes too many addresses with more [KB253912].
memory = 64M
; It finds its devices by APM's and Plug and Play's BIOS: ACPI would only be an unknown device [v86, notes on Windows 9x].
acpi = no
; The real-time clock holds local time.
utc = no

[net]
; In the box of OSR2 [KB158190]; the first release has the NE2000's driver too.
card = pcnet

[cpu]
; Of its time. The delay loop by which NDIS and IOS divide is slowed down by the translator [KB312108; docs/quirks.md, delay-loops].
model = pentium
