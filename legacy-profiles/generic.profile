; What `holdover boot` uses when nothing is named: a PC of about the year 2000 that any 32-bit system accepts.
[profile]
summary = any 32-bit PC system, about 2000

[machine]
board = i440fx
memory = 128M

[cpu]
; SSE but no SSE2: new enough for i686 kernels with PAE, old enough for systems that look up CPUs in a table.
model = pentium3
