; OS/2 1.0 to 1.3.
[profile]
inherit = generic-1990
summary = OS/2 1.0 to 1.3

[machine]
; 1.0 fails with more than 8 MB [os2museum, IBM OS/2 1.0 in a VM].
memory = 8M
; The real-time clock holds local time.
utc = no

[cpu]
; A system of the 286: a 386 has all it asks for.
model = 386
; Its delay loops overflow on fast processors: the slower engine.
engine = interpreter
