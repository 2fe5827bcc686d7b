; What `holdover boot` uses when nothing is named, and an import of which nothing could be found out: a PC of about 2000
; that any 32-bit system accepts.
[profile]
summary = any 32-bit PC system, about 2000

[machine]
board = i440fx
memory = 128M

[cpu]
; SSE but no SSE2: new enough for i686 kernels with PAE, old enough for systems that look CPUs up in a table.
model = pentium3

[stop]
; Of an unknown system only the power button can be hoped for: keys might be taken for an answer to some question.
power-button = yes
timeout = 60
