; Windows 98 and 98 Second Edition.
[profile]
inherit = generic-2000
summary = Windows 98 and 98 Second Edition

[machine]
; Above the 24 MB that it recommends, below the 512 MB at which its disk cache fails [KB253912].
memory = 128M
; It bears ACPI, but a system that was set up on an APM machine then looks for all devices anew [v86, notes on Windows 9x].
acpi = no
; The real-time clock holds local time.
utc = no

[cpu]
; The newest that the system knows by name.
model = pentium2

[stop]
; No power button without ACPI, and its shutdown is in a menu.
power-button = no
