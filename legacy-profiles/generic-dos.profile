; MS-DOS 3.3 to 6.22, PC DOS, DR-DOS, FreeDOS, Windows 3.x on top of them.
[profile]
inherit = generic
summary = DOS (MS-DOS, PC DOS, DR-DOS, FreeDOS) and Windows 3.x

[machine]
; HIMEM.SYS up to 6.22 sees at most 64 MB on this kind of PC [KB116256]; Windows 3.1 is content with half of that.
memory = 32M
; DOS knows no ACPI, but the firmware takes its time from the ACPI timer. Without that it measures the processor against the PIT, which
; goes wrong when the host is busy, and the keyboard's start-up then times out.
acpi = yes
; The real-time clock holds local time.
utc = no

[cpu]
; Any 386 will do; a Pentium is the newest CPU that programs of the DOS time ask for by name.
model = pentium

[stop]
; DOS has no shutdown: when its prompt is back, the machine may be switched off. `holdover stop` says so.
power-button = no
