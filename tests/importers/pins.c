/* What is pinned of an old machine, by the shipped rules. */
#include "importers/pins/pins.h"
#include "base/bits.h"
#include "profile/profile.h"
#include "tests/support/files.h"
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct import_result r;

static void pins_of(const struct identity *id, unsigned disks, const char *const *facts)
{
    struct facts f = { 0 };
    struct error err = { 0 };
    memset(&r, 0, sizeof(r));
    r.disk_count = disks;
    for (; *facts; facts += 2)
        facts_add(&f, facts[0], "%s", facts[1]);
    cr_assert(pins_make("legacy-profiles/pins.rules", &f, id, &r, &err), "%s", err.text);
    facts_free(&f);
    struct profile *p = profile_new();          /* a profile takes them all */
    for (unsigned i = 0; i < r.pin_count; i++) {
        const struct import_pin *pin = &r.pins[i];
        cr_assert(profile_set(p, pin->section, pin->key, pin->value, NULL, 0, &err), "%s", err.text);
        cr_assert(*pin->reason && !strpbrk(pin->reason, "{}"), "%s.%s: %s", pin->section, pin->key, pin->reason);
    }
    profile_free(p);
}
#define PINS(...) pins_of(NULL, 1, (const char *const[]){ __VA_ARGS__, NULL })

static const char *pinned(const char *name)
{
    char full[48];
    for (unsigned i = 0; i < r.pin_count; i++) {
        snprintf(full, sizeof(full), "%s.%s", r.pins[i].section, r.pins[i].key);
        if (!strcmp(full, name))
            return r.pins[i].value;
    }
    return "";
}
#define IS(name, value) cr_assert_str_eq(pinned(name), value, "%s is '%s', not '%s'", name, pinned(name), value)

static bool found(const char *text)
{
    for (size_t i = 0; i < r.disks[0].finding_count; i++)
        if (strstr(r.disks[0].findings[i], text))
            return true;
    return false;
}

Test(pins, network_cards)
{
    static const char *const cards[][2] = {
        { "pcnet32", "pcnet" }, { "AMDPCN", "pcnet" }, { "lnc0", "pcnet" }, { "dc", "dec21140" }, { "lance", "pcnet" }, { "pnt", "pcnet" }, { "ne", "ne2000" }, { "ne2k-pci", "rtl8029" },
        { "8139too", "rtl8139" }, { "rl0", "rtl8139" }, { "tulip", "dec21140" }, { "dc21x4", "dec21140" }, { "e1000", "e1000" }, { "el90x", "" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cards); i++) {
        PINS("os.type", "linux", "driver.nic", cards[i][0]);
        IS("net.card", cards[i][1]);
        cr_assert_eq(found("is of a card that this machine does not have"), !*cards[i][1], "%s", cards[i][0]);
    }
    PINS("os.type", "windows", "driver.nic", "e1000325");
    IS("net.card", "i82543gc");
    PINS("driver.nic", "3c59x", "driver.nic", "pcnet32");   /* of two the one that the machine has */
    IS("net.card", "pcnet");
    PINS("mac", "01:00:5e:00:00:01", "mac", "0050-560A-0B0C");      /* a group's address is no card's */
    IS("net.mac", "00:50:56:0a:0b:0c");
}

Test(pins, disks_keep_their_names)
{
    PINS("os.type", "linux", "root", "/dev/hda1", "driver.storage", "buslogic");
    IS("disk0.bus", "ide");
    IS("scsi.card", "");
    PINS("os.type", "linux", "root", "/dev/sda1", "driver.storage", "sym53c8xx_2");
    IS("disk0.bus", "scsi");
    IS("scsi.card", "lsi53c895a");
    PINS("os.type", "linux", "root", "/dev/sda1", "kernel", "2.6.26-2-686");
    IS("disk0.bus", "ide");
    PINS("os.type", "linux", "root", "/dev/sda1", "kernel", "2.4.18", "driver.storage", "aic7xxx");
    IS("disk0.bus", "scsi");
    IS("scsi.card", "buslogic");
    PINS("os.type", "linux", "root", "LABEL=/", "driver.storage", "buslogic");
    IS("disk0.bus", "scsi");
    PINS("os.type", "windows", "os.distro", "winnt", "driver.storage", "buslogic", "driver.storage", "atapi");
    IS("disk0.bus", "ide");
    IS("scsi.card", "");
    PINS("os.type", "windows", "os.distro", "winnt", "driver.storage", "buslogic");
    IS("scsi.card", "buslogic");
    PINS("os.type", "windows", "os.distro", "winnt", "driver.storage", "cpqarray");
    IS("disk0.bus", "");
    cr_assert(found("7B"));
    pins_of(NULL, 3, (const char *const[]){ "os.type", "freebsd", "root", "/dev/da0s1a", NULL });
    IS("disk2.bus", "scsi");
    IS("disk3.bus", "");
}

Test(pins, memory_and_processor)
{
    PINS("memory", "131072 kB");
    IS("machine.memory", "128M");
    PINS("memory", "640K");
    IS("machine.memory", "2M");
    PINS("memory", "8192M");
    IS("machine.memory", "3584M");
    PINS("os.type", "windows", "os.distro", "win9x", "os.product", "Windows 98", "memory", "1G");
    IS("machine.memory", "512M");
    cr_assert(strstr(r.pins[0].reason, "1G") && strstr(r.pins[0].reason, "disk cache"), "%s", r.pins[0].reason);
    PINS("memory", "lots");
    IS("machine.memory", "");
    PINS("cpu", "x86 Family 6 Model 8 Stepping 3, GenuineIntel");
    IS("cpu.model", "pentium3");
    PINS("cpu", "x86 Family 15 Model 2 Stepping 9, GenuineIntel", "os.type", "windows", "os.product", "Windows NT 3.51");
    IS("cpu.model", "pentium");
    PINS("cpu", "x86 Family 5 Model 8 Stepping 12, AuthenticAMD");
    IS("cpu.model", "pentium-mmx");
    PINS("cpu", "Intel Pentium III (Coppermine) stepping 03");
    IS("cpu.model", "pentium3");
    PINS("cpu", "Pentium 75 - 200 stepping 04", "os.type", "linux", "memory", "65536 KiB");
    IS("cpu.model", "pentium");
    IS("machine.memory", "64M");
    PINS("hal", "halacpi");
    IS("machine.acpi", "yes");
}

Test(pins, addresses_make_a_network)
{
    PINS("address", "127.0.0.1", "address", "192.168.1.17", "netmask", "255.255.255.0", "gateway", "192.168.1.1", "dns", "192.168.1.2");
    IS("net.guest", "192.168.1.17");
    IS("net.gateway", "192.168.1.1");
    IS("net.dns", "192.168.1.2");
    IS("net.mode", "");
    PINS("address", "192.168.1.17", "gateway", "10.0.0.1", "dns", "192.168.1.17");
    IS("net.gateway", "");
    IS("net.dns", "");
    cr_assert(found("10.0.0.1"));
    PINS("address", "10.1.2.3", "netmask", "0xffff0000", "gateway", "10.1.9.9");
    IS("net.netmask", "255.255.0.0");
    IS("net.gateway", "10.1.9.9");
    PINS("address", "10.1.2.3", "netmask", "255.255.255.252", "gateway", "10.1.2.1");
    IS("net.netmask", "");                      /* no room: the machine would refuse it */
    PINS("address", "10.1.2.3\x1b[2J", "gateway", "10.1.2.1");
    IS("net.guest", "");
}

Test(pins, services_are_forwarded)
{
    PINS("service", "telnet 23/tcp", "service", "http 80/tcp", "service", "echo 7/tcp", "service", "domain 53/udp", "service", "netbios-ssn 139/tcp",
         "service", "oracle 1521/tcp", "service", "again 23/tcp", "service", "odd 70000/tcp", "service", "bad", "service", "x 5/sctp");
    IS("net.forward", "tcp:2323:23,tcp:8080:80,udp:5353:53,tcp:10139:139,tcp:1521:1521");
    char list[40][24];
    const char *many[81] = { 0 };
    for (unsigned i = 0; i < 40; i++) {
        snprintf(list[i], sizeof(list[i]), "s%u %u/tcp", i, 20000 + i);
        many[2 * i] = "service";
        many[2 * i + 1] = list[i];
    }
    pins_of(NULL, 1, many);
    cr_assert(strlen(pinned("net.forward")) > 100 && strlen(pinned("net.forward")) < 172, "%s", pinned("net.forward"));
}

static bool identity_of(struct identity *id, const char *text, struct error *err)
{
    static char *path;
    if (!path)
        path = strdup(test_path(test_folder(), "identity.txt"));
    test_write(path, text, strlen(text));
    return identity_read(path, id, err);
}

Test(pins, identity)
{
    struct identity id;
    struct error err = { 0 };
    cr_assert(identity_of(&id, "holdover-identity=1\r\n# by hand\r\nmac=00-50-DA-11-22-33\r\nmemory=128M\r\ndisk0.model=QUANTUM FIREBALL ST3.2A\r\n"
                          "disk0.serial=153712345678\r\ndisk0.cylinders=784\r\ndisk0.heads=128\r\ndisk0.sectors=63\r\ncdrom.model=TOSHIBA CD-ROM XM-6202B\r\n"
                          "cpu.family=6\r\ncpu.model=5\r\ncpu.count=2\r\nclock.utc=yes\r\npci=8086:7111 IDE\r\npci=10ec:8139\r\nbios.date=08/14/98\r\n\x1aXX\x01", &err), "%s", err.text);
    pins_of(&id, 1, (const char *const[]){ "os.type", "windows", "os.distro", "win9x", "os.product", "Windows 98", "mac", "02:00:00:00:00:01", NULL });
    IS("net.mac", "00:50:da:11:22:33");
    IS("net.card", "rtl8139");
    IS("disk0.model", "QUANTUM FIREBALL ST3.2A");
    IS("disk0.serial", "153712345678");
    IS("disk0.heads", "128");
    IS("disk1.model", "");
    IS("cdrom0.model", "TOSHIBA CD-ROM XM-6202B");
    IS("cpu.model", "pentium2");
    IS("machine.memory", "128M");
    IS("machine.utc", "yes");
    IS("ide.chip", "piix4");
    IS("smbios.bios-date", "08/14/98");
    cr_assert(found("2 processors"));
    identity_free(&id);
}

Test(pins, identity_refused)
{
    static const struct { const char *text, *says; } bad[] = {
        { "", "no identity" }, { "mac=00:50:da:11:22:33\n", "no identity" }, { "holdover-identity=2\n", "later version" },
        { "holdover-identity=1\nmac=00:50:da:11:22\n", ":2: the value of mac is not" }, { "holdover-identity=1\n\nmemory=-5\n", ":3: the value of memory" },
        { "holdover-identity=1\ndisk0.model=a\x1b[2Jb\n", "control characters" }, { "holdover-identity=1\nno equals\n", "key=value" },
        { "holdover-identity=1\nKEY=1\n", "key=value" }, { "holdover-identity=1\npci=8086:zz\n", "PCI id" },
        { "holdover-identity=1\nsystem.uuid=1234\n", "UUID" }, { "holdover-identity=1\nclock.utc=maybe\n", "yes or no" },
        { "holdover-identity=1\ndisk3.heads=0x10\n", "number" }, { "holdover-identity=1\nbios.date=tomorrow\n", "date" },
    };
    struct identity id;
    struct error err = { 0 };
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        cr_assert(!identity_of(&id, bad[i].text, &err), "%s", bad[i].text);
        cr_assert(strstr(err.text, bad[i].says) && !strchr(err.text, 0x1b), "%s", err.text);
    }
    cr_assert(!identity_read("/nonexistent", &id, &err) && strstr(err.text, "cannot read"));
    char *text = malloc(100000);
    memset(text, 'a', 99999);
    memcpy(text, "holdover-identity=1\n", 20);
    text[99999] = 0;
    cr_assert(!identity_of(&id, text, &err) && strstr(err.text, "no identity"), "%s", err.text);
    memset(text + 20, '\n', 4980);
    text[5000] = 0;
    cr_assert(!identity_of(&id, text, &err) && strstr(err.text, "lines"), "%s", err.text);
    free(text);
}

/* Two machines' /proc and /etc: Linux 2.0 with IDE, Linux 2.4 with SCSI. */
static const char make_old[] =
    "mkdir -p '%s/old/proc/ide/hda' '%s/old/proc/ide/hdc' '%s/old/etc' && cd '%s/old' && "
    "printf 'processor\\t: 0\\ncpu\\t\\t: 586\\nmodel\\t\\t: Pentium 75+\\nvendor_id\\t: GenuineIntel\\nstepping\\t: 12\\n' >proc/cpuinfo && "
    "printf '        total:    used:\\nMem:  31420416 30412800\\nMemTotal:     30684 kB\\n' >proc/meminfo && "
    "echo 'QUANTUM FIREBALL ST3.2A' >proc/ide/hda/model && echo disk >proc/ide/hda/media && "
    "printf 'physical     6256/16/63\\nlogical      784/128/63\\n' >proc/ide/hda/geometry && "
    "echo ' Model=QUANTUM FIREBALL ST3.2A, FwRev=A0F.0D00, SerialNo=153712345678' >hdparm.hda && "
    "echo 'TOSHIBA CD-ROM XM-6202B' >proc/ide/hdc/model && echo cdrom >proc/ide/hdc/media && "
    "printf '0.0 0 0.0\\n0\\nUTC\\n' >etc/adjtime && "
    "printf 'eth0  Link encap:10Mbps Ethernet  HWaddr 00:A0:24:0B:0C:0D\\nlo  Link encap:Local Loopback\\nsit0 HWaddr 00:00:00:00:00:00\\n' >ifconfig";
static const char make_newer[] =
    "mkdir -p '%s/newer/proc/scsi' '%s/newer/proc/bus/pci' '%s/newer/etc/sysconfig' && cd '%s/newer' && "
    "printf 'processor\\t: 0\\nvendor_id\\t: GenuineIntel\\ncpu family\\t: 6\\nmodel\\t\\t: 8\\nmodel name\\t: Pentium III (Coppermine)\\nstepping\\t: 3\\n"
    "cpu MHz\\t\\t: 733.378\\nflags\\t\\t: fpu tsc mmx sse\\n\\nprocessor\\t: 1\\n' >proc/cpuinfo && echo 'MemTotal:       513708 kB' >proc/meminfo && "
    "printf 'Attached devices: \\nHost: scsi0 Channel: 00 Id: 00 Lun: 00\\n  Vendor: SEAGATE  Model: ST39102LW        Rev: 0005\\n"
    "  Type:   Direct-Access                    ANSI SCSI revision: 02\\nHost: scsi0 Channel: 00 Id: 05 Lun: 00\\n  Vendor: PLEXTOR  Model: CD-ROM PX-32TS   Rev: 1.02\\n"
    "  Type:   CD-ROM                           ANSI SCSI revision: 02\\n' >proc/scsi/scsi && "
    "printf '0000\\t80867190\\t0\\te0000008\\n0050\\t10222000\\t9\\t0000d001\\n' >proc/bus/pci/devices && "
    "printf 'pcnet32 12345 1 - Live\\n' >proc/modules && printf 'ZONE=x\\nUTC=false\\n' >etc/sysconfig/clock && "
    "printf 'BIOS Information\\n\\tVendor: Award\\n\\tVersion: 6.00PG\\n\\tRelease Date: 04/26/2000\\n\\nHandle 0x0001\\n\\tDMI type 1, 25 bytes.\\n"
    "\\tSystem Information\\n\\t\\tManufacturer: Acme\\n\\t\\tProduct Name: Server 5\\n\\t\\tSerial Number: X1\\n\\n' >dmidecode && "
    "printf 'eth0: flags=4163  mtu 1500\\n        ether 0:50:da:1:2:3  txqueuelen 1000\\n' >ifconfig";

#define KEY_IS(name, value) cr_assert(facts_get(&id.facts, name) && !strcmp(facts_get(&id.facts, name), value), "%s: %s is '%s', not '%s'", shells[i], name, \
                                      facts_get(&id.facts, name) ? facts_get(&id.facts, name) : "", value)

Test(pins, collector_for_unix)
{
    static const char *const shells[] = { "dash", "busybox sh", "bash --posix", "mksh", "posh" };
    const char *folder = test_folder();
    unsigned ran = 0;
    cr_assert_eq(test_run(make_old, folder, folder, folder, folder), 0);
    cr_assert_eq(test_run(make_newer, folder, folder, folder, folder), 0);
    for (size_t i = 0; i < ARRAY_SIZE(shells); i++) {
        char program[16], path[600];
        struct identity id;
        struct error err;
        sscanf(shells[i], "%15s", program);
        if (!test_program(program))
            continue;
        ran++;
        snprintf(path, sizeof(path), "%s/identity", folder);
        cr_assert_eq(test_run("COLLECT_ROOT='%s/old' %s drivers/collect/collect.sh >'%s' 2>'%s.err' && ! test -s '%s.err'", folder, shells[i], path, path, path), 0, "%s", shells[i]);
        cr_assert(identity_read(path, &id, &err), "%s: %s", shells[i], err.text);
        KEY_IS("cpu.family", "5");
        KEY_IS("memory", "32M");
        KEY_IS("disk0.model", "QUANTUM FIREBALL ST3.2A");
        KEY_IS("disk0.serial", "153712345678");
        KEY_IS("disk0.heads", "128");
        KEY_IS("cdrom.model", "TOSHIBA CD-ROM XM-6202B");
        KEY_IS("clock.utc", "yes");
        KEY_IS("mac", "00:a0:24:0b:0c:0d");
        identity_free(&id);
        cr_assert_eq(test_run("COLLECT_ROOT='%s/newer' %s drivers/collect/collect.sh >'%s' 2>'%s.err' && ! test -s '%s.err'", folder, shells[i], path, path, path), 0, "%s", shells[i]);
        cr_assert(identity_read(path, &id, &err), "%s: %s", shells[i], err.text);
        KEY_IS("cpu.model", "8");
        KEY_IS("cpu.count", "2");
        KEY_IS("cpu.mhz", "733");
        KEY_IS("memory", "512M");
        KEY_IS("disk0.model", "SEAGATE ST39102LW");
        KEY_IS("disk0.firmware", "0005");
        KEY_IS("cdrom.model", "PLEXTOR CD-ROM PX-32TS");
        KEY_IS("bios.date", "04/26/2000");
        KEY_IS("system.product", "Server 5");
        KEY_IS("pci", "8086:7190");
        KEY_IS("module", "pcnet32");
        KEY_IS("clock.utc", "no");
        KEY_IS("mac", "00:50:da:01:02:03");
        identity_free(&id);
    }
    cr_assert(ran, "none of the shells is installed");
}

/* The batch file is what make.sh makes of its source. */
Test(pins, collector_for_dos_is_up_to_date)
{
    if (!test_program("nasm"))
        TEST_SKIP("pins.collector_for_dos_is_up_to_date", "nasm is not installed");
    const char *made = test_path(test_folder(), "COLLECT.BAT");
    cr_assert_eq(test_run("sh drivers/collect/make.sh '%s' && cmp '%s' drivers/collect/COLLECT.BAT", made, made), 0);
}

/* Every line of pins.rules is one, and what it names exists. */
Test(pins, rules_name_settings)
{
    static const struct { const char *key, *values; } words[] = {
        { "net.card", " pcnet ne2000 rtl8029 rtl8139 dec21140 e1000 i82543gc " }, { "disk.bus", " ide am53c974 lsi53c895a lsi53c810 buslogic " },
        { "scsi.card", " am53c974 lsi53c895a lsi53c810 buslogic " }, { "ide.chip", " piix3 piix4 " },
        { "cpu.model", " 386 486sx 486 486dx4 pentium pentium-mmx pentium-pro pentium2 pentium3 pentium4 " },
        { "limit.cpu", " 386 486sx 486 486dx4 pentium pentium-mmx pentium-pro pentium2 pentium3 pentium4 " },
        { "note", "" }, { "note:net.card", "" }, { "note:disk.bus", "" }, { "limit.memory", NULL }, { "skip.ports", NULL },
    };
    FILE *f = fopen("legacy-profiles/pins.rules", "r");
    char line[600], wanted[80];
    unsigned lines = 0;
    cr_assert(f);
    while (fgets(line, sizeof(line), f)) {
        char *arrow = *line == '#' || *line == '\n' ? NULL : strstr(line, "->"), *colon = arrow ? strstr(arrow, " : ") : NULL, *rest = NULL;
        cr_assert(strlen(line) < 500, "too long: %s", line);
        if (*line == '#' || *line == '\n')
            continue;
        cr_assert(colon, "%s", line);
        *colon = 0;
        lines++;
        for (char *t = strtok_r(arrow + 2, " ", &rest); t; t = strtok_r(NULL, " ", &rest)) {
            char *equals = strchr(t, '='), *dot = strchr(t, '.');
            const char *value = equals ? equals + 1 : "";
            bool known = false;
            struct error err;
            if (equals)
                *equals = 0;
            for (size_t i = 0; i < ARRAY_SIZE(words) && !known; i++) {
                snprintf(wanted, sizeof(wanted), " %s ", value);
                known = !strcmp(words[i].key, t);
                cr_assert(!known || !words[i].values || !*words[i].values || strstr(words[i].values, wanted), "%s=%s", t, value);
            }
            if (known)
                continue;
            cr_assert(dot && equals, "%s", t);
            *dot = 0;
            struct profile *p = profile_new();
            bool device = !strncmp(t, "disk", 4) || !strcmp(t, "cdrom0");
            cr_assert(device || profile_section_find(t), "[%s]", t);
            cr_assert(profile_set(p, t, dot + 1, *value == '{' ? !strcmp(dot + 1, "memory") ? "64M" : "x" : value, NULL, 0, &err), "%s", err.text);
            profile_free(p);
        }
    }
    fclose(f);
    cr_assert_gt(lines, 150);
}
