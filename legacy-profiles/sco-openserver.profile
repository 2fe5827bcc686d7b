; SCO Unix 3.2, Open Desktop, OpenServer 5.
[profile]
inherit = generic-1995
summary = SCO Unix 3.2, Open Desktop, OpenServer 5

[machine]
; With 32 MB its set-up dies of signal 8, 48 MB are enough.
memory = 64M
; The clock holds local time, unless it was set up otherwise.
utc = no

[cpu]
; One processor: more needs a licence of its own.
model = pentium

[net]
; pnt, AMD PCnet's driver, is in the box of OpenServer 5; nat, the NE2000's, locks up before 5.0.5b.
card = pcnet

[stop]
; An operator runs shutdown; there is no key for it.
power-button = no
