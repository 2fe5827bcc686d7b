; A Pentium of about 1995: Windows 3.x and 95, NT 3.x, OS/2 Warp, Linux 1.x and 2.0, early FreeBSD.
[profile]
inherit = generic
summary = a Pentium of about 1995: Windows 3.x/95, NT 3.x, OS/2 Warp, Linux 1.x/2.0

[machine]
; Enough for all of them, and below the 64 MB that INT 15h/88h and stock HIMEM.SYS can report [KB116256].
memory = 32M
; Windows 95 knows no ACPI, and NT 3.x only the Standard PC HAL.
acpi = no

[cpu]
; NT 3.1 and 3.5 set-up refuses CPU families above 5 [KB151212].
model = pentium

[stop]
power-button = no
