; OS/2 Warp 3 and 4, Warp Server, eComStation.
[profile]
inherit = generic-1995
summary = OS/2 Warp 3 and 4, Warp Server, eComStation

[machine]
; Recommended for Warp 4; Warp 3 is content with 48 MB, 4.5 likes 128 MB [VirtualBox, recommended machines].
memory = 64M
utc = no

[cpu]
; Before Warp 4 a Pentium III is trouble [os2museum, Why OS/2 is hard to virtualize].
model = pentium

[net]
; The machine that VirtualBox recommends has it.
card = pcnet

[stop]
; Ctrl-Alt-Del flushes the disks and restarts, which ends the run.
keys = ctrl-alt-del
