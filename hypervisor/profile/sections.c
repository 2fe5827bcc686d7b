/* The fixed sections of a profile: their keys, defaults and one line of help each. */
#include "profile/profile.h"
#include <string.h>

const struct property profile_about_properties[] = {
    PROPERTY(struct profile_about, inherit, "", "the profile whose settings hold where this one says nothing"),
    PROPERTY(struct profile_about, summary, "", "one line for `holdover profiles`"),
    END
};
const struct property profile_machine_properties[] = {
    PROPERTY(struct profile_machine, board, "i440fx", "main board: i440fx"),
    PROPERTY(struct profile_machine, firmware, "", "BIOS image; empty: the SeaBIOS of the host's package"),
    PROPERTY_AS(struct profile_machine, vga_firmware, "vga-firmware", "", "VGA BIOS image; empty: that of the host's package"),
    PROPERTY(struct profile_machine, memory, "128M", "RAM size"),
    PROPERTY(struct profile_machine, date, "", "date at power-on, YYYY-MM-DD or YYYY-MM-DDTHH:MM:SS; empty: the host's (counted: 2000-01-01)"),
    PROPERTY(struct profile_machine, clock, "real", "real: as the host's time passes; counted: by instructions executed"),
    PROPERTY_AS(struct profile_machine, disk_latency, "disk-latency", "200us", "guest time that a disk request takes with the counted clock"),
    PROPERTY(struct profile_machine, utc, "no", "the real-time clock shows UTC instead of local time"),
    PROPERTY(struct profile_machine, acpi, "yes", "power management with power button and power-off"),
    PROPERTY_AS(struct profile_machine, debug_exit, "debug-exit", "no",
                "a device whose write ends the run: for test programs"),
    END
};
const struct property profile_cpu_properties[] = {
    PROPERTY(struct profile_cpu, model, "pentium3",
             "386 486sx 486 486dx4 pentium pentium-mmx pentium-pro pentium2 pentium3 pentium4"),
    PROPERTY(struct profile_cpu, features, "", "features added or taken from the model, as in +sse2 -apic"),
    PROPERTY(struct profile_cpu, engine, "auto", "auto, translator or interpreter"),
    PROPERTY(struct profile_cpu, count, "1", "processors"),
    PROPERTY(struct profile_cpu, clock, "0", "speed in Hz that the time stamp counter shows; 0: the model's own"),
    PROPERTY(struct profile_cpu, icount, "0", "instructions a second with the counted clock; 0: 100 million"),
    PROPERTY_AS(struct profile_cpu, dos_idle, "dos-idle", "yes", "the CPU rests when DOS says that it waits (INT 28h, INT 2Fh AX=1680h, a loop of INT 16h AH=01h)"),
    PROPERTY_AS(struct profile_cpu, cpuid_max, "cpuid-max", "0xffffffff", "highest CPUID leaf reported"),
    END
};
const struct property profile_translator_properties[] = {
    PROPERTY(struct profile_translator, cache, "24M", "memory for translated code, 2M to 64M"),
    PROPERTY_AS(struct profile_translator, perf_map, "perf-map", "no", "names of translated code for perf, in /tmp/perf-PID.map"),
    PROPERTY(struct profile_translator, windows, "yes", "address spaces that run long are mapped for the host's MMU"),
    END
};
const struct property profile_scsi_properties[] = {
    PROPERTY(struct profile_scsi, card, "none", "SCSI adapter: none am53c974 lsi53c895a lsi53c810 buslogic"),
    PROPERTY(struct profile_scsi, cdrom, "no", "the CD-ROM drive is on its bus"),
    PROPERTY_AS(struct profile_scsi, cdrom_id, "cdrom-id", "6", "SCSI ID of that drive"),
    END
};
const struct property profile_net_properties[] = {
    PROPERTY(struct profile_net, card, "none", "network card: none, pcnet, ne2000, rtl8029, rtl8139, dec21140, e1000 or another of `doctor --devices`"),
    PROPERTY(struct profile_net, mode, "off", "what the cable leads to: off, nat, private NAME or tap DEVICE"),
    PROPERTY(struct profile_net, mac, "", "hardware address; empty: made from the guest's name"),
    PROPERTY(struct profile_net, guest, "", "nat: the address that the guest has (or gets by DHCP); empty: 10.0.2.15"),
    PROPERTY(struct profile_net, gateway, "", "nat: the address of the router that the guest knows; empty: 10.0.2.2"),
    PROPERTY(struct profile_net, netmask, "", "nat: empty: 255.255.255.0"),
    PROPERTY(struct profile_net, dns, "", "nat: the name server that the guest knows; empty: 10.0.2.3"),
    PROPERTY(struct profile_net, forward, "", "nat: ports of the host for the guest's, as in tcp:2323:23,udp:0.0.0.0:5353:53"),
    PROPERTY(struct profile_net, outside, "yes", "nat: the guest may call out"),
    PROPERTY(struct profile_net, host, "yes", "nat: the gateway's address reaches the host's own services"),
    PROPERTY(struct profile_net, rom, "", "file of the card's option ROM, for booting from the network"),
    PROPERTY(struct profile_net, capture, "", "file that takes all frames, in pcap format"),
    END
};
const struct property profile_smbios_properties[] = {
    PROPERTY_AS(struct profile_smbios, text[0], "bios-vendor", "", "maker of the BIOS"),
    PROPERTY_AS(struct profile_smbios, text[1], "bios-version", "", "version of the BIOS"),
    PROPERTY_AS(struct profile_smbios, text[2], "bios-date", "", "date of the BIOS, as in 08/14/1998; in its ROM, too"),
    PROPERTY_AS(struct profile_smbios, text[3], "vendor", "", "maker of the computer"),
    PROPERTY_AS(struct profile_smbios, text[4], "product", "", "name of the computer"),
    PROPERTY_AS(struct profile_smbios, text[5], "version", "", "version of the computer"),
    PROPERTY_AS(struct profile_smbios, text[6], "serial", "", "serial number of the computer"),
    PROPERTY_AS(struct profile_smbios, text[7], "board-vendor", "", "maker of the main board"),
    PROPERTY_AS(struct profile_smbios, text[8], "board-product", "", "name of the main board"),
    PROPERTY_AS(struct profile_smbios, text[9], "board-version", "", "version of the main board"),
    PROPERTY_AS(struct profile_smbios, text[10], "board-serial", "", "serial number of the main board"),
    PROPERTY(struct profile_smbios, uuid, "", "UUID of the computer"),
    END
};
const struct property profile_stop_properties[] = {
    PROPERTY_AS(struct profile_stop, power_button, "power-button", "yes", "press the power button first (needs machine.acpi)"),
    PROPERTY(struct profile_stop, keys, "", "keys pressed then, separated by blanks, as in ctrl-alt-del"),
    PROPERTY(struct profile_stop, text, "", "text typed then; \\n is Enter"),
    PROPERTY(struct profile_stop, timeout, "90", "seconds to wait for the power-off before giving up"),
    END
};
const struct property profile_window_properties[] = {
    PROPERTY(struct profile_window, scale, "integer", "integer (sharp, aspect-correct) or smooth"),
    PROPERTY(struct profile_window, fullscreen, "no", "start in full screen"),
    END
};
const struct profile_section profile_sections[] = {
    { "profile", profile_about_properties, "the profile itself" },
    { "machine", profile_machine_properties, "board, memory, clock, firmware" },
    { "cpu", profile_cpu_properties, "processor" },
    { "translator", profile_translator_properties, "the engine of that name" },
    { "scsi", profile_scsi_properties, "SCSI adapter" },
    { "net", profile_net_properties, "network card and what it is connected to" },
    { "smbios", profile_smbios_properties, "what the firmware tells of computer and BIOS" },
    { "stop", profile_stop_properties, "how `holdover stop` shuts the system down" },
    { "window", profile_window_properties, "how the window starts" },
    { NULL, NULL, NULL }
};

_Static_assert(sizeof(struct profile_machine) <= PROFILE_OBJECT_MAX && sizeof(struct profile_cpu) <= PROFILE_OBJECT_MAX,
               "values are checked in a buffer of this size");

const struct profile_section *profile_section_find(const char *name)
{
    for (const struct profile_section *s = profile_sections; s->name; s++)
        if (!strcmp(s->name, name))
            return s;
    return NULL;
}
