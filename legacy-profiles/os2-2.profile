; OS/2 2.0 and 2.1.
[profile]
inherit = generic-1995
summary = OS/2 2.0 and 2.1

[machine]
memory = 32M
utc = no

[cpu]
model = pentium
; Delay loops of its drivers fail at a Pentium III's speed [os2museum, Why OS/2 is hard to virtualize]: the slower engine.
engine = interpreter

[net]
; PCnet's driver comes with its LAN products.
card = pcnet
