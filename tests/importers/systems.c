/* Systems by their files. The trees are tables; programs are the few bytes of them that tell something. */
#include "importers/systems/systems.h"
#include "importers/systems/inspect.h"
#include "importers/systems/registry.h"
#include "tests/support/files.h"
#include "tests/support/hives.h"
#include "base/bits.h"
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct fake { const char *path, *bytes; size_t length; };       /* length 0: a text */
#define BIN(path, bytes) { path, bytes, sizeof(bytes) }
#define SZ(w) w "\0"

static const struct fake *fake_find(const struct fake *f, const char *path)
{
    for (; f->path; f++)
        if (!strcasecmp(f->path, path))
            return f;
    return NULL;
}

static bool fake_part(void *at, const char *path, uint64_t offset, void *to, size_t *length)
{
    const struct fake *f = fake_find(at, path);
    if (!f)
        return false;
    size_t all = f->length ? f->length : strlen(f->bytes);
    *length = offset < all ? MIN(*length, all - offset) : 0;
    memcpy(to, f->bytes + offset, *length);
    return true;
}

static bool fake_list(void *at, const char *path, tree_each *each, void *arg)
{
    size_t n = strlen(path);
    char last[256] = "";
    bool any = false;
    n -= path[n - 1] == '/';
    for (const struct fake *f = at; f->path; f++) {
        char name[256];
        if (strncasecmp(f->path, path, n) || f->path[n] != '/')
            continue;
        const char *rest = f->path + n + 1;
        snprintf(name, sizeof(name), "%.*s", (int)strcspn(rest, "/"), rest);
        any = true;
        if (*name && strcmp(name, last))
            each(arg, &(struct tree_entry){ .name = name, .folder = strchr(rest, '/'), .day = 19960229 });
        snprintf(last, sizeof(last), "%s", name);
    }
    return any;
}

static struct facts facts;
static struct facts all[SYSTEMS_MOST];
static size_t all_count;

/* Fills `facts` with those of the one system that a tree has. */
static void look(const struct fake *files, const char *about)
{
    struct error err;
    struct systems_rules *r = systems_load("legacy-profiles/systems.rules", &err);
    struct place p = { .tree = { .at = (void *)files, .read_part = fake_part, .list = fake_list }, .about = about };
    unsigned systems = 0;
    cr_assert(r, "%s", err.text);
    all_count = systems_find(r, &p, all);
    facts = (struct facts){ 0 };
    for (size_t i = 0; i < all_count; i++)
        if (facts_get(&all[i], "os.type")) {
            facts = all[i];
            systems++;
        }
    cr_assert_leq(systems, 1, "two systems: %s and another", facts_get(&facts, "os.product"));
    systems_free(r);
}
#define LOOK(...) look((const struct fake[]){ __VA_ARGS__, { 0 } }, "number=1\nfs=fat16\n")

static void check_has(const char *key, const char *value, int line)
{
    char list[512] = "";
    for (size_t i = 0; i < facts.count; i++)
        if (!strcmp(facts.list[i].key, key)) {
            if (!strcmp(facts.list[i].value, value))
                return;
            snprintf(list + strlen(list), sizeof(list) - strlen(list), " [%s]", facts.list[i].value);
        }
    cr_assert_fail("line %d: %s is not \"%s\" but%s", line, key, value, *list ? list : " missing");
}
#define HAS(key, value) check_has(key, value, __LINE__)

static void check_first(const char *key, const char *value, int line)
{
    const char *got = facts_get(&facts, key);
    cr_assert(got ? value && !strcmp(got, value) : !value, "line %d: %s is %s, not %s", line, key, got ? got : "missing", value ? value : "missing");
}
#define IS(key, value) check_first(key, value, __LINE__)

static const char boot_of_dos[] = "\xe9\0\0IO\0";

Test(systems, dos_of_every_maker)
{
    static const struct { const char *kernel, *kernel2, *text, *oem, *product, *version, *distro; } kinds[] = {
        { "/IO.SYS", "/MSDOS.SYS", "Microsoft(R) MS-DOS(R) Version 6.22", "MSDOS5.0", "MS-DOS 6.22", "6.22", "msdos" },
        { "/IO.SYS", "/MSDOS.SYS", "Microsoft(R) MS-DOS(R) Version 3.30 (C)Copyright", "MSDOS3.3", "MS-DOS 3.30", "3.30", "msdos" },
        { "/IO.SYS", "/MSDOS.SYS", "nothing", "MSDOS4.0", "MS-DOS 4.0", "4.0", "msdos" },
        { "/IO.SYS", "/MSDOS.SYS", "nothing", "MSDOS5.0", "MS-DOS", NULL, "msdos" },
        { "/IBMBIO.COM", "/IBMDOS.COM", "The IBM Personal Computer DOS\r\nVersion 3.30 (C)Copyright International Business Machines Corp 1981, 1987", "IBM  3.3", "PC-DOS 3.30", "3.30", "pcdos" },
        { "/IBMBIO.COM", "/IBMDOS.COM", "PC DOS Version 7.0", "IBM  7.0", "PC DOS 7.0", "7.0", "pcdos" },
        { "/IBMBIO.COM", "/IBMDOS.COM", "DR DOS Release 6.0", "DRDOS   ", "DR DOS 6.0", "6.0", "drdos" },
        { "/IBMBIO.COM", "/IBMDOS.COM", "Caldera DR-DOS 7.03", "DRDOS  7", "Caldera DR-DOS 7.03", "7.03", "drdos" },
        { "/IBMBIO.COM", "/IBMDOS.COM", "Novell DOS 7", "NWDOS7.0", "Novell DOS 7", "7", "drdos" },
        { "/IBMBIO.COM", "/IBMDOS.COM", "Copyright 1988 Digital Research Inc.", "", "DR DOS", NULL, "drdos" },
        { "/IO.SYS", "/MSDOS.SYS", "COMPAQ Personal Computer DOS Version 3.31", "", "Compaq DOS 3.31", "3.31", "compaqdos" },
        { "/KERNEL.SYS", "/X", "FreeCom version 0.84", "FRDOS5.1", "FreeDOS", NULL, "freedos" },
        { "/KERNEL.SYS", "/X", "Datalight ROM-DOS version 6.22", "", "ROM-DOS 6.22", "6.22", "romdos" },
        { "/PTSBIO.SYS", "/PTSDOS.SYS", "PTS-DOS 6.51", "", "PTS-DOS 6.51", "6.51", "ptsdos" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        char command[256] = { 0 }, about[64];
        snprintf(command + 1, sizeof(command) - 1, "%s", kinds[i].text);
        snprintf(about, sizeof(about), "number=1\nfs=fat16\noem=%s\n", kinds[i].oem);
        struct fake files[] = { BIN(kinds[i].kernel, boot_of_dos), BIN(kinds[i].kernel2, boot_of_dos), { "/COMMAND.COM", command, sizeof(command) },
                                { "/CONFIG.SYS", "DEVICE=C:\\DOS\\HIMEM.SYS\r\nDEVICEHIGH /L:1 = C:\\SCSI\\ASPI8DOS.SYS /D\r\nCOUNTRY=049,,C:\\DOS\\COUNTRY.SYS\r\n\x1a" "COUNTRY=033", 0 }, { 0 } };
        look(files, about);
        IS("os.type", "dos");
        IS("os.product", kinds[i].product);
        IS("os.version", kinds[i].version);
        IS("os.distro", kinds[i].distro);
        IS("os.language", "German");
        IS("driver.storage", "aspi8dos");
    }
}

Test(systems, dos_network)
{
    LOOK(BIN("/IO.SYS", boot_of_dos), BIN("/MSDOS.SYS", boot_of_dos), BIN("/COMMAND.COM", "\0MS-DOS Version 5.00"),
         { "/AUTOEXEC.BAT", "@ECHO OFF\r\nLH C:\\NET\\NE2000.COM 0x60\r\nKEYB GR,,C:\\DOS\\KEYBOARD.SYS\r\nSET BLASTER=A220 I5 D1 H5 P330 T6\r\nCALL C:\\NWCLIENT\\STARTNET.BAT\r\n", 0 },
         { "/NWCLIENT/NET.CFG", "Link Driver PCNTNW\r\n\tFRAME Ethernet_802.2\r\n", 0 }, { "/NWCLIENT/STARTNET.BAT", "LSL\r\nPCNTNW.COM\r\nVLM\r\n", 0 },
         BIN("/NWCLIENT/VLM.EXE", "MZ\0"), { "/MTCP/MTCP.CFG", "PACKETINT 0x60\r\nIPADDR 10.1.2.3\r\nNETMASK 255.255.0.0\r\nGATEWAY 10.1.0.1\r\nNAMESERVER 10.1.0.2\r\nHOSTNAME lager\r\n", 0 },
         BIN("/WP51/WP.EXE", "MZ\0"));
    IS("os.product", "MS-DOS 5.00");
    HAS("driver.nic", "ne2000");
    HAS("driver.nic", "pcntnw");
    IS("keyboard", "gr");
    IS("os.language", "German");
    IS("driver.sound", "sb16");
    HAS("application", "NetWare client (VLM)");
    HAS("application", "WordPerfect");
    IS("address", "10.1.2.3");
    IS("netmask", "255.255.0.0");
    IS("gateway", "10.1.0.1");
    IS("dns", "10.1.0.2");
    IS("hostname", "lager");
    IS("year", "1996");
    IS("activity", "1996-02-29");
}

/* A version resource, as the linker puts it into NE and PE files. */
#define VERSION(a, b, c, d) "MZ\0\0\xbd\x04\xef\xfe\0\0\x01\0" b "\0" a "\0" d "\0" c "\0\0"

Test(systems, windows_on_dos)
{
    static const char dos[] = "\0Microsoft(R) MS-DOS(R) Version 6.22";
    LOOK(BIN("/IO.SYS", boot_of_dos), BIN("/MSDOS.SYS", boot_of_dos), BIN("/COMMAND.COM", dos), BIN("/WINDOWS/WIN.COM", "\xe9\0"), BIN("/WINDOWS/SYSTEM/USER.EXE", VERSION("\x03", "\x0a", "\0", "\x67")),
         BIN("/WINDOWS/SYSTEM/KRNL386.EXE", "MZ\0"), { "/WINDOWS/SYSTEM.INI", "[boot]\r\nshell=progman.exe\r\ndisplay.drv=cirrus.drv\r\n\r\n[drivers]\r\nwave=sb16snd.drv\r\n", 0 },
         { "/WINDOWS/WIN.INI", "[windows]\r\nload=\r\n[intl]\r\niCountry=33\r\n[Microsoft Word 2.0]\r\n", 0 }, BIN("/EXCEL/EXCEL.EXE", "MZ\0"));
    HAS("application", "Microsoft Word 2.0");
    HAS("application", "Microsoft Excel");
    IS("os.type", "windows");
    IS("os.product", "Windows 3.1");
    IS("os.version", "3.1");
    IS("os.distro", "win3x");
    IS("dos", "MS-DOS 6.22");
    IS("driver.video", "cirrus");
    IS("driver.sound", "sb16snd");
    IS("os.language", "French");

    LOOK(BIN("/IO.SYS", boot_of_dos), BIN("/MSDOS.SYS", boot_of_dos), BIN("/COMMAND.COM", dos), BIN("/WFW/WIN.COM", "\xe9\0"), BIN("/WFW/SYSTEM/USER.EXE", VERSION("\x03", "\x0a", "\0", "\x67")),
         BIN("/WFW/SYSTEM/VFAT.386", "LE\0"), BIN("/WFW/SYSTEM/VREDIR.386", "LE\0"),
         { "/WFW/SYSTEM.INI", "[boot]\r\nnetwork.drv=wfwnet.drv\r\n[network]\r\nComputerName=LAGER7\r\nWorkgroup=VERSAND\r\n[network drivers]\r\nnetcard=am2100.dos\r\n", 0 },
         { "/WFW/PROTOCOL.INI", "[network.setup]\r\n[MS$AM2100]\r\nDriverName=AM2100$\r\n[tcpip]\r\nIPAddress=10.0.0.7\r\nSubNetMask0=255 0 0 0\r\nDefaultGateway0=10 0 0 1\r\n", 0 });
    IS("os.product", "Windows for Workgroups 3.11");
    IS("os.version", "3.11");
    IS("hostname", "LAGER7");
    IS("domain", "VERSAND");
    IS("driver.nic", "am2100");
    IS("address", "10.0.0.7");
    IS("gateway", "10.0.0.1");

    LOOK(BIN("/IO.SYS", boot_of_dos), BIN("/MSDOS.SYS", boot_of_dos), BIN("/COMMAND.COM", dos), BIN("/WINDOWS/WIN.COM", "\xe9\0"), BIN("/WINDOWS/WIN200.BIN", "\0"));
    IS("os.product", "Windows 2.x");
    LOOK(BIN("/IO.SYS", boot_of_dos), BIN("/MSDOS.SYS", boot_of_dos), BIN("/COMMAND.COM", dos), BIN("/WINDOWS/WIN.COM", "\xe9\0"), BIN("/WINDOWS/WIN100.BIN", "\0Microsoft Windows Version 1.03\0"));
    IS("os.product", "Windows 1.x");
    IS("os.version", "1.03");
    LOOK(BIN("/IO.SYS", boot_of_dos), BIN("/MSDOS.SYS", boot_of_dos), BIN("/COMMAND.COM", dos), BIN("/WIN/WIN.COM", "\xe9\0"), BIN("/WIN/SYSTEM/KRNL286.EXE", "\0"), { "/WIN/SYSTEM.INI", "[boot]\r\n", 0 });
    IS("os.product", "Windows 3.0");
}

#define CLASS "System\\CurrentControlSet\\Services\\Class\\"
#define CURRENT "Software\\Microsoft\\Windows\\CurrentVersion"
static const struct hive_entry windows_98[] = {
    HIVE_TEXT(CURRENT, "ProductName", "Microsoft Windows 98"), HIVE_TEXT(CURRENT, "VersionNumber", "4.10.2222"), HIVE_TEXT(CURRENT, "SubVersionNumber", " A "),
    HIVE_TEXT(CURRENT, "RegisteredOwner", "Erika \033[31mMuster"), HIVE_TEXT(CURRENT, "ProductId", "12345-OEM-0012345-12345"),
    HIVE_TEXT(CURRENT "\\Uninstall\\Office", "DisplayName", "Microsoft Office 97"), HIVE_TEXT(CURRENT "\\Uninstall\\X", "DisplayName", "WinZip"),
    HIVE_TEXT(CURRENT "\\Uninstall\\X", "DisplayVersion", "7.0"), { CURRENT "\\Uninstall\\Empty", NULL, 0, NULL, 0 },
    HIVE_TEXT("System\\CurrentControlSet\\Control\\ComputerName\\ComputerName", "ComputerName", "BUERO3"),
    HIVE_TEXT("System\\CurrentControlSet\\Control\\Nls\\Locale", "", "00000407"),
    HIVE_TEXT("System\\CurrentControlSet\\Services\\VxD\\VNETSUP", "Workgroup", "FIRMA"),
    HIVE_TEXT("System\\CurrentControlSet\\Services\\VxD\\MSTCP", "NameServer", "192.168.3.1,192.168.3.2"),
    HIVE_TEXT(CLASS "NetTrans\\0000", "IPAddress", "192.168.3.20"), HIVE_TEXT(CLASS "NetTrans\\0000", "IPMask", "255.255.255.0"),
    HIVE_TEXT(CLASS "NetTrans\\0000", "DefaultGateway", "192.168.3.1"), HIVE_TEXT(CLASS "NetTrans\\0001", "IPAddress", "0.0.0.0"),
    HIVE_TEXT(CLASS "Net\\0000", "DeviceVxDs", "pppmac.vxd"), HIVE_TEXT(CLASS "Net\\0001", "DeviceVxDs", "pcntn3.vxd"),
    HIVE_TEXT(CLASS "Display\\0000\\DEFAULT", "drv", "cirrusmm.drv"), HIVE_TEXT(CLASS "hdc\\0000", "PortDriver", "ESDI_506.PDR"),
    HIVE_TEXT(CLASS "SCSIAdapter\\0000", "PortDriver", "BUSLOGIC.MPD"), HIVE_TEXT(CLASS "MEDIA\\0000", "Driver", "sb16.vxd"),
    HIVE_TEXT("Enum\\PCI\\VEN_1013&DEV_00B8\\1", "Class", "Display"), HIVE_TEXT("Enum\\PCI\\VEN_1013&DEV_00B8\\1", "DeviceDesc", "Cirrus Logic 5446 PCI"),
};

Test(systems, windows_9x)
{
    size_t n;
    uint8_t *hive = hive_make_creg(windows_98, ARRAY_SIZE(windows_98), &n);
    LOOK(BIN("/IO.SYS", boot_of_dos), { "/MSDOS.SYS", "[Paths]\r\nWinDir=C:\\WIN98\r\nWinBootDir=C:\\WIN98\r\n[Options]\r\nBootGUI=1\r\n", 0 }, BIN("/COMMAND.COM", "\0"),
         { "/WIN98/SYSTEM.DAT", (const char *)hive, n }, { "/WIN98/SYSTEM.INI", "[boot]\r\ndisplay.drv=pnpdrvr.drv\r\n", 0 }, { "/WIN98/WIN.COM", "\xe9", 0 });
    IS("os.type", "windows");
    IS("os.product", "Windows 98 Second Edition");
    IS("os.version", "4.10.2222");
    IS("os.servicepack", "A");
    IS("os.language", "German");
    IS("owner", "Erika  [31mMuster");
    IS("hostname", "BUERO3");
    IS("domain", "FIRMA");
    IS("address", "192.168.3.20");
    IS("netmask", "255.255.255.0");
    IS("gateway", "192.168.3.1");
    IS("dns", "192.168.3.1");
    IS("driver.nic", "pcntn3");
    IS("driver.video", "cirrusmm");
    HAS("driver.storage", "esdi_506");
    HAS("driver.storage", "buslogic");
    IS("driver.sound", "sb16");
    HAS("application", "Microsoft Office 97");
    HAS("application", "WinZip 7.0");
    HAS("hardware", "display: Cirrus Logic 5446 PCI");
    free(hive);

    LOOK(BIN("/IO.SYS", boot_of_dos), { "/MSDOS.SYS", "[Paths]\r\nWinDir=C:\\WINDOWS\r\n", 0 }, BIN("/WINDOWS/WIN.COM", "\xe9\0"));
    IS("os.product", "Windows 95");
    LOOK(BIN("/IO.SYS", boot_of_dos), { "/MSDOS.SYS", "[Paths]\r\n[Options]\r\nWinVer=4.90.3000\r\n", 0 });
    IS("os.product", "Windows Me");
    static const struct hive_entry osr2[] = { HIVE_TEXT(CURRENT, "VersionNumber", "4.00.1111"), HIVE_TEXT(CURRENT, "SubVersionNumber", " B") };
    hive = hive_make_creg(osr2, ARRAY_SIZE(osr2), &n);
    LOOK(BIN("/IO.SYS", boot_of_dos), { "/WINDOWS/SYSTEM.DAT", (const char *)hive, n });
    IS("os.product", "Windows 95 OSR2");
    free(hive);
}

#define NT "Microsoft\\Windows NT\\CurrentVersion"
#define UNINSTALL "Microsoft\\Windows\\CurrentVersion\\Uninstall"
#define SET "ControlSet002\\"
static const struct hive_entry xp_software[] = {
    HIVE_TEXT(NT, "ProductName", "Microsoft Windows XP"), HIVE_TEXT(NT, "CurrentVersion", "5.1"), HIVE_TEXT(NT, "CSDVersion", "Service Pack 2"),
    HIVE_TEXT(NT, "CurrentBuildNumber", "2600"), HIVE_TEXT(NT "\\NetworkCards\\2", "ServiceName", "{A0B1}"),
    HIVE_TEXT(UNINSTALL "\\A", "DisplayName", "SIMATIC WinCC"), HIVE_TEXT(UNINSTALL "\\A", "DisplayVersion", "6.0"),
    HIVE_TEXT(UNINSTALL "\\KB1", "DisplayName", "Hotfix"), HIVE_TEXT(UNINSTALL "\\KB1", "ParentKeyName", "OperatingSystem"),
};
static const struct hive_entry xp_system[] = {
    HIVE_NUMBER("Select", "Current", 2), HIVE_TEXT("ControlSet001\\Control\\ComputerName\\ComputerName", "ComputerName", "WRONG"),
    HIVE_TEXT(SET "Control\\ComputerName\\ComputerName", "ComputerName", "LEITSTAND"), HIVE_TEXT(SET "Control\\ProductOptions", "ProductType", "WinNT"),
    HIVE_TEXT(SET "Control\\Nls\\Language", "InstallLanguage", "0407"), HIVE_TEXT(SET "Control\\Class\\{4D36E966-E325-11CE-BFC1-08002BE10318}\\0000", "MatchingDeviceId", "acpiapic_up"),
    HIVE_LIST(SET "Services\\Tcpip\\Parameters\\Interfaces\\{A0B1}", "IPAddress", "10.20.30.40"), HIVE_LIST(SET "Services\\Tcpip\\Parameters\\Interfaces\\{A0B1}", "SubnetMask", "255.255.0.0"),
    HIVE_LIST(SET "Services\\Tcpip\\Parameters\\Interfaces\\{A0B1}", "DefaultGateway", "10.20.0.1"), HIVE_TEXT(SET "Services\\Tcpip\\Parameters\\Interfaces\\{A0B1}", "NameServer", "10.20.0.2,10.20.0.3"),
    HIVE_LIST(SET "Services\\Tcpip\\Parameters\\Interfaces\\{DEAD}", "IPAddress", "0.0.0.0"), HIVE_TEXT(SET "Services\\Tcpip\\Parameters", "Hostname", "leitstand"),
    HIVE_TEXT(SET "Services\\atapi", "Group", "SCSI miniport"), HIVE_NUMBER(SET "Services\\atapi", "Start", 0), HIVE_NUMBER(SET "Services\\atapi", "Type", 1),
    HIVE_TEXT(SET "Services\\cpqarray", "Group", "SCSI miniport"), HIVE_NUMBER(SET "Services\\cpqarray", "Start", 4), HIVE_NUMBER(SET "Services\\cpqarray", "Type", 1),
    HIVE_NUMBER(SET "Services\\TermService", "Start", 2), HIVE_NUMBER(SET "Services\\TermService", "Type", 32),
    HIVE_NUMBER(SET "Services\\W3SVC", "Start", 3), HIVE_NUMBER(SET "Services\\W3SVC", "Type", 32),
    HIVE_TEXT(SET "Enum\\PCI\\VEN_1022&DEV_2000\\1", "Class", "Net"), HIVE_TEXT(SET "Enum\\PCI\\VEN_1022&DEV_2000\\1", "Service", "PCnet"),
    HIVE_TEXT(SET "Enum\\PCI\\VEN_1013&DEV_00B8\\1", "Class", "Display"), HIVE_TEXT(SET "Enum\\PCI\\VEN_1013&DEV_00B8\\1", "Service", "cirrus"),
    HIVE_TEXT(SET "Enum\\IDE\\DiskST3\\1", "FriendlyName", "ST340014A"),
};

Test(systems, windows_nt)
{
    size_t n, m;
    uint8_t *software = hive_make_regf(xp_software, ARRAY_SIZE(xp_software), &n);
    uint8_t *system = hive_make_regf(xp_system, ARRAY_SIZE(xp_system), &m);
    LOOK(BIN("/NTLDR", "\0"), { "/IO.SYS", "", 0 }, { "/MSDOS.SYS", "", 0 }, { "/COMMAND.COM", "", 0 }, { "/boot.ini", "[boot loader]\r\ntimeout=30\r\ndefault=multi(0)disk(0)rdisk(0)partition(1)\\WINDOWS\r\n"
           "[operating systems]\r\nmulti(0)disk(0)rdisk(0)partition(1)\\WINDOWS=\"Microsoft Windows XP Professional\" /fastdetect\r\n", 0 },
         { "/WINDOWS/system32/config/software", (const char *)software, n }, { "/WINDOWS/system32/config/system", (const char *)system, m });
    IS("os.product", "Windows XP Professional");
    IS("os.type", "windows");
    IS("os.version", "5.1");
    IS("os.servicepack", "Service Pack 2");
    IS("os.build", "2600");
    IS("os.language", "German");
    IS("hostname", "LEITSTAND");
    IS("address", "10.20.30.40");
    IS("netmask", "255.255.0.0");
    IS("gateway", "10.20.0.1");
    IS("dns", "10.20.0.2");
    IS("hal", "halaacpi");
    IS("driver.nic", "pcnet");
    IS("driver.video", "cirrus");
    IS("driver.storage", "atapi");
    IS("service", "rdp 3389/tcp");
    IS("activity", "1996-02-29");
    HAS("application", "SIMATIC WinCC 6.0");
    HAS("hardware", "disk: ST340014A");
    cr_assert(!strstr(facts_get(&facts, "application"), "Hotfix"));
    free(software), free(system);

    static const struct hive_entry nt4_software[] = {
        HIVE_TEXT(NT, "CurrentVersion", "4.0"), HIVE_TEXT(NT, "CSDVersion", "Service Pack 6"), HIVE_TEXT(NT "\\NetworkCards\\1", "ProductName", "AMDPCN"),
        HIVE_TEXT(NT "\\NetworkCards\\1", "ServiceName", "AMDPCN1") };
    static const struct hive_entry nt4_system[] = {
        HIVE_NUMBER("Select", "Current", 1), HIVE_TEXT("ControlSet001\\Control\\ProductOptions", "ProductType", "ServerNT"), HIVE_LIST("ControlSet001\\Control\\ProductOptions", "ProductSuite", "Terminal Server|"),
        HIVE_LIST("ControlSet001\\Services\\AMDPCN1\\Parameters\\Tcpip", "IPAddress", "192.168.1.5|192.168.1.6"), HIVE_LIST("ControlSet001\\Services\\AMDPCN1\\Parameters\\Tcpip", "SubnetMask", "255.255.255.0"),
        HIVE_TEXT("ControlSet001\\Services\\cirrus", "Group", "Video"), HIVE_NUMBER("ControlSet001\\Services\\cirrus", "Start", 1), HIVE_TEXT("ControlSet001\\Services\\VgaSave", "Group", "Video"), HIVE_NUMBER("ControlSet001\\Services\\VgaSave", "Start", 1) };
    software = hive_make_regf(nt4_software, ARRAY_SIZE(nt4_software), &n);
    system = hive_make_regf(nt4_system, ARRAY_SIZE(nt4_system), &m);
    LOOK(BIN("/NTLDR", "\0"), { "/WINNT/system32/config/SOFTWARE", (const char *)software, n }, { "/WINNT/system32/config/SYSTEM", (const char *)system, m },
         { "/WINNT/repair/setup.log", "[Files.WinNt]\r\n\\WINNT\\system32\\hal.dll = \"halmps.dll\",\"1a01c\"\r\n", 0 });
    IS("os.product", "Windows NT Server 4.0, Terminal Server Edition");
    IS("hal", "halmps");
    IS("driver.nic", "amdpcn");
    IS("driver.video", "cirrus");
    IS("address", "192.168.1.5");
    IS("folder", "\\WINNT");
    free(software), free(system);
}

Test(systems, os2_and_netware)
{
    static const char syslevel[] = "\xff\xffSYSLEVEL" "12345\x01\0" "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0" "\x25\0\0\0" "\x00\x10\0\x40\0\x21\x1aXRG4000_XRG4000_IBM OS/2 Warp 4 Basis-Betriebssystem\0";
    LOOK(BIN("/OS2KRNL", "LX\0@#IBM:9.023#@\0"), BIN("/OS2LDR", "\0"), BIN("/OS2/INSTALL/SYSLEVEL.OS2", syslevel),
         { "/CONFIG.SYS", "BASEDEV=IBM1S506.ADD\r\nDEVICE=C:\\IBMCOM\\MACS\\PCNTND.OS2\r\nCOUNTRY=049,C:\\OS2\\SYSTEM\\COUNTRY.SYS\r\nSET HOSTNAME=warp\r\nSET VIDEO_DEVICES=VIO_SVGA\r\n", 0 },
         { "/MPTN/BIN/SETUP.CMD", "route -fh\r\nifconfig lan0 10.9.8.7 netmask 255.255.255.0\r\nroute add default 10.9.8.1 1\r\n", 0 });
    IS("os.type", "os2");
    IS("os.product", "OS/2 Warp 4");
    IS("os.version", "4.00");
    IS("os.servicepack", "XRG4000_");
    IS("os.language", "German");
    IS("driver.storage", "ibm1s506");
    IS("driver.nic", "pcntnd");
    IS("hostname", "warp");
    IS("address", "10.9.8.7");
    IS("netmask", "255.255.255.0");
    IS("gateway", "10.9.8.1");

    look((const struct fake[]){ BIN("/IO.SYS", boot_of_dos), BIN("/NWSERVER/SERVER.EXE", "MZ\0Novell NetWare 4.11  August 22, 1996\0"), { "/NWSERVER/STARTUP.NCF", "LOAD IDEATA.HAM PORT=1F0 INT=E\r\nLOAD C:\\BTDSK.DSK\r\n", 0 },
         { "/NWSERVER/AUTOEXEC.NCF", "file server name ARCHIV\r\nload PCNTNW slot=2 frame=ethernet_802.2 name=E82\r\nbind IP to E82 ADDR=10.0.0.9 MASK=255.0.0.0 GATE=10.0.0.1\r\n", 0 }, { 0 } }, "number=1\nfs=fat16\n");
    IS("os.type", "netware");
    IS("os.product", "NetWare 4.11");
    IS("hostname", "ARCHIV");
    HAS("driver.storage", "ideata");
    HAS("driver.storage", "btdsk");
    IS("driver.nic", "pcntnw");
    IS("address", "10.0.0.9");
    IS("netmask", "255.0.0.0");
    IS("gateway", "10.0.0.1");
}

Test(systems, linux_systems)
{
    char wtmp[768] = { 0 };
    le32_put(wtmp + 340, 1000000000);           /* 2001-09-09 */
    le32_put(wtmp + 384 + 340, 1010000000);     /* 2002-01-02 */
    look((const struct fake[]){ { "/etc/redhat-release", "Red Hat Linux release 7.3 (Valhalla)\n", 0 }, { "/etc/fstab", "# x\n/dev/hda2 / ext3 defaults 1 1\n", 0 }, { "/etc/passwd", "root::0:0\n", 0 },
         { "/etc/modules.conf", "alias eth0 3c59x\nalias scsi_hostadapter aic7xxx\nalias sound-slot-0 es1371\n", 0 }, { "/etc/sysconfig/network", "NETWORKING=yes\nHOSTNAME=lohn.firma.de\nGATEWAY=192.168.1.1\n", 0 },
         { "/etc/sysconfig/network-scripts/ifcfg-eth0", "DEVICE=eth0\nIPADDR=192.168.1.17\nNETMASK=255.255.255.0\n", 0 }, { "/etc/sysconfig/network-scripts/ifcfg-lo", "IPADDR=127.0.0.1\n", 0 },
         { "/etc/inetd.conf", "ftp stream tcp nowait root /usr/sbin/tcpd in.ftpd\n#telnet stream tcp nowait root x y\n", 0 }, { "/etc/xinetd.d/telnet", "service telnet\n{\n\tdisable = no\n\tsocket_type = stream\n}\n", 0 },
         { "/etc/xinetd.d/time", "service time\n{\n\tdisable = yes\n}\n", 0 }, { "/etc/inittab", "id:3:initdefault:\n", 0 }, { "/etc/rc.d/rc3.d/S55sshd", "", 0 }, { "/etc/rc.d/rc3.d/K15httpd", "", 0 },
         { "/var/log/rpmpkgs", "bash-2.05a-13.i386.rpm\nXFree86-4.2.0-8.i386.rpm\n", 0 }, { "/var/log/wtmp", wtmp, sizeof(wtmp) },
         { "/etc/X11/XF86Config-4", "Section \"InputDevice\"\n Driver \"keyboard\"\nEndSection\nSection \"Device\"\n\tIdentifier \"x\"\n\tDriver \"cirrus\"\nEndSection\n", 0 },
         { "/lib/modules/2.4.18-3/modules.dep", "", 0 }, BIN("/bin/sh", "\x7f" "ELF\x01\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\x03\0\x01\0"), { "/etc/lilo.conf", "append=\"mem=128M\"\n", 0 }, { 0 } }, "number=2\nfs=ext3\n");
    IS("os.type", "linux");
    IS("os.distro", "redhat");
    IS("os.product", "Red Hat Linux release 7.3 (Valhalla)");
    IS("os.version", "7.3");
    IS("kernel", "2.4.18-3");
    IS("root", "/dev/hda2");
    IS("hostname", "lohn");
    IS("address", "192.168.1.17");
    IS("gateway", "192.168.1.1");
    IS("driver.nic", "3c59x");
    IS("driver.storage", "aic7xxx");
    IS("driver.sound", "es1371");
    IS("driver.video", "cirrus");
    HAS("service", "ftp 21/tcp");
    HAS("service", "telnet 23/tcp");
    HAS("service", "ssh 22/tcp");
    HAS("application", "bash 2.05a");
    HAS("application", "XFree86 4.2.0");
    IS("activity", "2002-01-02");
    IS("memory", "128M");
    IS("os.arch", "i386");
    for (size_t i = 0; i < facts.count; i++)
        cr_assert(strcmp(facts.list[i].value, "time 37/tcp") && strcmp(facts.list[i].value, "telnet 23/"));

    look((const struct fake[]){ { "/etc/slackware-version", "3.5.0\n", 0 }, { "/etc/fstab", "/dev/sda1 / ext2 defaults 1 1\n", 0 }, { "/etc/HOSTNAME", "darkstar.example.net\n", 0 },
         { "/etc/rc.d/rc.inet1", "IPADDR=\"127.0.0.1\"\nIPADDR=\"10.1.1.1\"\nNETMASK=\"255.0.0.0\"\n", 0 }, { "/etc/rc.d/rc.modules", "/sbin/modprobe ne io=0x300\n#/sbin/modprobe wd\n/sbin/modprobe buslogic\n", 0 },
         BIN("/vmlinuz", "\0HdrS\0\0002.0.34 (root@fuzzy) #1 Tue Jun\0"), { "/var/log/packages/tcpip1", "", 0 }, { 0 } }, "number=1\nfs=ext2\n");
    IS("os.product", "Slackware 3.5.0");
    IS("kernel", "2.0.34");
    IS("hostname", "darkstar");
    IS("address", "10.1.1.1");
    IS("driver.nic", "ne");
    IS("driver.storage", "buslogic");
    IS("application", "tcpip1");

    look((const struct fake[]){ { "/etc/debian_version", "3.1\n", 0 }, { "/etc/fstab", "", 0 }, { "/etc/passwd", "x", 0 },
         { "/var/lib/dpkg/status", "Package: apache\nStatus: install ok installed\nArchitecture: i386\nVersion: 1.3.33-6\n\nPackage: gone\nStatus: deinstall ok config-files\nVersion: 1\n\nPackage: zip\nStatus: install ok installed\nVersion: 2.30\n", 0 }, { 0 } }, "");
    HAS("application", "apache 1.3.33-6");
    HAS("application", "zip 2.30");
    for (size_t i = 0; i < facts.count; i++)
        cr_assert(strncmp(facts.list[i].value, "gone", 4));
}

Test(systems, other_unix)
{
    look((const struct fake[]){ BIN("/kernel", "\x7f" "ELF\0@(#)FreeBSD 4.11-RELEASE #0: Fri Jan\0"), { "/etc/rc.conf", "hostname=\"web.example.org\"\nifconfig_ed0=\"inet 10.0.0.2 netmask 255.255.255.0\"\ndefaultrouter=\"10.0.0.1\"\nsshd_enable=\"YES\"\n", 0 },
         { "/etc/fstab", "/dev/ad0s1a / ufs rw 1 1\n", 0 }, { "/etc/passwd", "", 0 }, { 0 } }, "number=1\ntype=a5\nfs=ufs\n");
    IS("os.type", "freebsd");
    IS("os.product", "FreeBSD 4.11");
    IS("hostname", "web");
    IS("driver.nic", "ed");
    IS("address", "10.0.0.2");
    IS("gateway", "10.0.0.1");
    HAS("service", "ssh 22/tcp");
    IS("root", "/dev/ad0s1a");
    look((const struct fake[]){ BIN("/bsd", "\0OpenBSD 3.4 (GENERIC) #18\0"), { "/etc/myname", "gate.example.org\n", 0 }, { "/etc/mygate", "10.0.0.1\n", 0 }, { "/etc/hostname.ne3", "inet 10.0.0.3 255.255.255.0 NONE\n", 0 }, { "/etc/fstab", "/dev/wd0a / ffs rw 1 1\n", 0 }, { 0 } }, "type=a6\n");
    IS("os.product", "OpenBSD 3.4");
    IS("driver.nic", "ne");
    IS("address", "10.0.0.3");
    IS("netmask", "255.255.255.0");
    look((const struct fake[]){ BIN("/netbsd", "\0NetBSD 1.6.2 (GENERIC) #0\0"), { "/etc/fstab", "", 0 }, { 0 } }, "type=a9\n");
    IS("os.product", "NetBSD 1.6.2");
    look((const struct fake[]){ BIN("/kernel/genunix", "\0"), { "/platform/i86pc/x", "", 0 }, { "/etc/release", "                   Solaris 8 2/02 s28x_u7wos_08a INTEL\n", 0 }, { "/etc/hostname.pcn0", "sun\n", 0 }, { "/etc/nodename", "sun\n", 0 }, { "/etc/inittab", "", 0 }, { 0 } }, "type=82\n");
    IS("os.type", "solaris");
    IS("os.version", "8");
    IS("driver.nic", "pcn");
    look((const struct fake[]){ BIN("/stand/unix", "\0SCO OpenServer(TM) Release 5\0"), { "/etc/perms/x", "", 0 }, { "/etc/passwd", "", 0 }, { "/etc/systemid", "scosysv\n", 0 }, { 0 } }, "type=63\n");
    IS("os.type", "sco");
    IS("os.product", "SCO OpenServer 5");
    IS("hostname", "scosysv");
    look((const struct fake[]){ { 0 } }, "number=1\ntype=63\nfs=\n");
    IS("os.type", "sco");
    look((const struct fake[]){ { 0 } }, "number=1\ntype=eb\nfs=\n");
    IS("os.type", "beos");
    look((const struct fake[]){ { 0 } }, "number=1\ntype=81\nfs=minix\n");
    IS("os.type", "minix");
    look((const struct fake[]){ { 0 } }, "number=1\ntype=4d\nfs=\n");
    IS("os.type", "qnx");
}

Test(systems, boot_menus)
{
    static const struct { const char *path, *text, *menu; } menus[] = {
        { "/boot/grub/menu.lst", "default 1\ntitle Linux\nroot (hd0,1)\nkernel /boot/vmlinuz root=/dev/hda2\ntitle Windows 98\nrootnoverify (hd0,0)\nchainloader +1\n", "other" },
        { "/boot/grub/grub.conf", "default=0\ntitle Red Hat\n\troot (hd0,0)\n\tkernel /vmlinuz-2.4 ro\ntitle DOS\n\trootnoverify (hd0,4)\n\tchainloader +1\n", NULL },
        { "/etc/lilo.conf", "boot=/dev/hda\ndefault=dos\nimage=/boot/vmlinuz\n\tlabel=linux\nother=/dev/hda1\n\tlabel=dos\n", "other" },
        { "/etc/lilo.conf", "boot=/dev/hda\nimage=/vmlinuz\n\tlabel=Linux\nother=/dev/hda1\n\tlabel=dos\n", NULL },
    };
    for (size_t i = 0; i < ARRAY_SIZE(menus); i++) {
        look((const struct fake[]){ { "/etc/fstab", "/dev/hda2 / ext2 defaults 1 1\n", 0 }, { menus[i].path, menus[i].text, 0 }, { 0 } }, "number=2\nfs=ext2\n");
        IS("boot.menu", menus[i].menu);
    }
    LOOK(BIN("/NTLDR", "\0"), { "/boot.ini", "[boot loader]\r\ndefault=multi(0)disk(0)rdisk(0)partition(2)\\WINNT\r\n[operating systems]\r\nmulti(0)disk(0)rdisk(0)partition(2)\\WINNT=\"Windows NT Server Version 4.00\" /sos\r\nC:\\=\"MS-DOS\"\r\n", 0 });
    for (size_t i = 0; i < all_count; i++)
        if (facts_get(&all[i], "boot.partition"))
            facts = all[i];
    IS("boot.partition", "2");
    IS("boot.folder", "\\WINNT");
    HAS("boot.entry", "Windows NT Server Version 4.00");
    HAS("boot.entry", "MS-DOS");
}

static bool count_record(void *arg, const char *record, size_t length)
{
    (void)record, (void)length;
    ++*(unsigned *)arg;
    return true;
}

/* Every truncation, and every word overwritten: no crash, no endless loop (the sanitised build looks closer). */
Test(systems, damaged_hives)
{
    for (unsigned kind = 0; kind < 2; kind++) {
        size_t n;
        uint8_t *hive = (kind ? hive_make_creg : hive_make_regf)(windows_98, ARRAY_SIZE(windows_98), &n), *copy = malloc(n);
        unsigned records = 0;
        struct hive h;
        cr_assert(hive_open(&h, hive, n));
        hive_find(&h, "*\\*\\*", count_record, &records);
        cr_assert_gt(records, 3);
        for (size_t cut = 0; cut < n; cut += 13)
            if (hive_open(&h, hive, cut))
                hive_find(&h, "*\\*\\*\\*", count_record, &records);
        for (size_t at = 4; at + 4 <= n; at += 4) {
            memcpy(copy, hive, n);
            le32_put(copy + at, at % 8 ? 0xffffffff : 0x20);
            if (hive_open(&h, copy, n))
                hive_find(&h, "*\\*\\*\\*\\*", count_record, &records);
        }
        free(hive), free(copy);
    }
}

Test(systems, rules_errors_name_the_line)
{
    static const struct { const char *text, *word; } bad[] = {
        { "system \"x\"\n    have\n", ":2" }, { "have /x\n", ":1" }, { "system \"x\"\n  have /x\n", "blanks" }, { "system \"x\"\n    line /x \"(\"\n", "regular" },
        { "system \"x\"\n    use y\n", "part" }, { "system \"x\"\n            have /x\n", ":2" }, { "system \"x\"\n    dance /x\n", ":2" }, { "system \"x\"\n    line /x \"y\n", "quote" },
        { "part a\n    use a\n", "part" },
    };
    char *path = test_path(test_folder(), "bad.rules");
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct error err = { 0 };
        test_write(path, bad[i].text, strlen(bad[i].text));
        cr_assert(!systems_load(path, &err));
        cr_assert(strstr(err.text, bad[i].word), "%zu: %s", i, err.text);
    }
}
