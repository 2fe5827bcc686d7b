/* Recognising a system by its files: DOS, Windows 3.x and 9x, OS/2 and NT on FAT; Linux on anything. Only what a file says is
 * a fact; what its age suggests is left to the rules. */
#include "importers/systems/inspect.h"
#include "base/bits.h"
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { YEAR_FIRST = 1981, YEAR_LAST = 2037 };

struct has { const char *name; bool ok; };

static void has_each(void *arg, const struct tree_entry *e)
{
    struct has *h = arg;
    h->ok |= !strcasecmp(e->name, h->name);
}

bool tree_has(const struct tree *t, const char *path)
{
    char folder[TREE_PATH_MOST];
    const char *slash = strrchr(path, '/');
    struct has h = { .name = slash ? slash + 1 : path };
    snprintf(folder, sizeof(folder), "%.*s", slash && slash > path ? (int)(slash - path) : 1, slash ? path : "/");
    return t->list(t->at, folder, has_each, &h) && h.ok;
}

static void newest_each(void *arg, const struct tree_entry *e)
{
    unsigned *newest = arg;
    if (e->year >= YEAR_FIRST && e->year <= YEAR_LAST)
        *newest = MAX(*newest, e->year);
}

/* The newest year of the names in some folders. */
static void year_find(const struct tree *t, struct facts *f, const char *const *folders)
{
    unsigned newest = 0;
    for (; *folders; folders++)
        t->list(t->at, *folders, newest_each, &newest);
    if (newest)
        facts_add(f, "year", "%u", newest);
}

/* The value behind `key` at the start of a line (blanks before it do not matter), up to any of `ends`; static. */
static const char *line_value(const char *text, const char *key, const char *ends)
{
    static char value[200];
    for (const char *line = text; line && *line; line = strchr(line, '\n'), line += line != NULL) {
        const char *p = line + strspn(line, " \t");
        if (strncasecmp(p, key, strlen(key)))
            continue;
        p += strlen(key);
        p += strspn(p, " \t\"'");
        snprintf(value, sizeof(value), "%.*s", (int)MIN(strcspn(p, ends), sizeof(value) - 1), p);
        return value;
    }
    return NULL;
}

static void add_value(struct facts *f, const char *fact, const char *text, const char *key)
{
    const char *value = text ? line_value(text, key, " \t\r\n\"'#/") : NULL;
    if (value)
        facts_add(f, fact, "%s", value);
}

static void system_is(struct facts *f, const char *type, const char *distro, const char *product)
{
    facts_add(f, "os.type", "%s", type);
    facts_add(f, "os.distro", "%s", distro);
    facts_add(f, "os.product", "%s", product);
}

/* Windows 9x keeps its version as text in MSDOS.SYS; the earliest has none there. */
static void windows_9x(struct facts *f, const char *msdos_sys)
{
    static const struct { const char *version, *product; } products[] = {
        { "4.90", "Windows Me" }, { "4.10.2222", "Windows 98 Second Edition" }, { "4.10", "Windows 98" },
        { "4.03", "Windows 95 OSR2" }, { "4.00", "Windows 95" }, { "", "Windows 95" },
    };
    const char *value = line_value(msdos_sys, "WinVer=", " \t\r\n"), *product = "Windows 95";
    for (size_t i = ARRAY_SIZE(products); value && i-- > 0;)
        if (!strncmp(value, products[i].version, strlen(products[i].version)))
            product = products[i].product;
    if (value && isdigit((unsigned char)*value))
        facts_add(f, "os.version", "%s", value);
    system_is(f, "windows", "win9x", product);
}

static bool is_windows_9x(const char *msdos_sys)
{
    return msdos_sys && (line_value(msdos_sys, "[Paths]", "\r\n") || line_value(msdos_sys, "WinDir=", "\r\n"));
}

static const char *const dos_files[] = {
    "IO.SYS", "MSDOS.SYS", "IBMBIO.COM", "IBMDOS.COM", "KERNEL.SYS", "COMMAND.COM", "AUTOEXEC.BAT", "CONFIG.SYS", "FDCONFIG.SYS",
    "WINBOOT.SYS", "NTLDR", "BOOT.INI", "NTDETECT.COM", "OS2KRNL", "OS2BOOT", "DOS", "FREEDOS", "FDOS", "WINDOWS", "WINNT",
    "LINUX", "SERVER.EXE", "NWSERVER", NULL
};

void detect_dos(const struct tree *t, struct facts *f)
{
    static const char *const folders[] = { "/", "/DOS", "/WINDOWS", "/WINNT", "/WINDOWS/SYSTEM", NULL };
    for (size_t i = 0; dos_files[i]; i++)
        if (tree_has(t, dos_files[i]))
            facts_add(f, "file", "\\%s", dos_files[i]);
    char *msdos_sys = t->read(t->at, "/MSDOS.SYS");
    bool dos = (tree_has(t, "IO.SYS") && tree_has(t, "MSDOS.SYS")) || (tree_has(t, "IBMBIO.COM") && tree_has(t, "IBMDOS.COM"));
    if (tree_has(t, "NTLDR")) {
        bool xp = tree_has(t, "/WINDOWS/SYSTEM32/NTOSKRNL.EXE");
        system_is(f, "windows", "winnt", xp ? "Windows XP or 2003" : "Windows NT or 2000");
    } else if (tree_has(t, "OS2KRNL")) {
        system_is(f, "os2", "os2", "OS/2");
    } else if (is_windows_9x(msdos_sys)) {
        windows_9x(f, msdos_sys);
    } else if (tree_has(t, "KERNEL.SYS") && tree_has(t, "COMMAND.COM")) {
        system_is(f, "dos", "freedos", "FreeDOS");
    } else if (dos) {
        system_is(f, "dos", "dos", tree_has(t, "IBMBIO.COM") ? "PC-DOS or DR-DOS" : "MS-DOS");
    }
    if (tree_has(t, "/WINDOWS/WIN.COM") && tree_has(t, "/WINDOWS/SYSTEM/KRNL386.EXE") && !is_windows_9x(msdos_sys))
        facts_add(f, "os.product", "Windows 3.x");
    free(msdos_sys);
    year_find(t, f, folders);
}

static void linux_distribution(const struct tree *t, struct facts *f)
{
    static const struct { const char *path, *distro; } releases[] = {
        { "/etc/fedora-release", "fedora" }, { "/etc/mandrake-release", "mandrake" }, { "/etc/mandriva-release", "mandriva" },
        { "/etc/centos-release", "centos" }, { "/etc/redhat-release", "redhat" }, { "/etc/SuSE-release", "suse" },
        { "/etc/slackware-version", "slackware" }, { "/etc/gentoo-release", "gentoo" },
        { "/etc/turbolinux-release", "turbolinux" },
    };
    char *os = t->read(t->at, "/etc/os-release"), *debian = t->read(t->at, "/etc/debian_version");
    if (os && line_value(os, "ID=", "\r\n\"'")) {
        facts_add(f, "os.distro", "%s", line_value(os, "ID=", "\r\n\"'"));
        const char *name = line_value(os, "PRETTY_NAME=", "\r\n\"'");
        facts_add(f, "os.product", "%s", name ? name : "");
        add_value(f, "os.version", os, "VERSION_ID=");
    } else if (debian) {
        facts_add(f, "os.distro", "debian");
        facts_add(f, "os.product", "Debian %.*s", (int)strcspn(debian, "\r\n"), debian);
    }
    if (debian)
        facts_add(f, "os.version", "%.*s", (int)strcspn(debian, "\r\n"), debian);
    for (size_t i = 0; i < ARRAY_SIZE(releases) && !facts_get(f, "os.distro"); i++) {
        char *text = t->read(t->at, releases[i].path);
        if (text) {
            facts_add(f, "os.distro", "%s", releases[i].distro);
            facts_add(f, "os.product", "%.*s", (int)strcspn(text, "\r\n"), text);
            facts_add(f, "os.version", "%s", text + strcspn(text, "0123456789\n"));
        }
        free(text);
    }
    free(os);
    free(debian);
}

/* Static addresses as Debian, Red Hat and Slackware keep them. */
static void linux_network(const struct tree *t, struct facts *f)
{
    static const struct { const char *path, *address, *netmask, *gateway; } places[] = {
        { "/etc/network/interfaces", "address ", "netmask ", "gateway " },
        { "/etc/sysconfig/network-scripts/ifcfg-eth0", "IPADDR=", "NETMASK=", "GATEWAY=" },
        { "/etc/sysconfig/network", NULL, NULL, "GATEWAY=" },
        { "/etc/rc.d/rc.inet1.conf", "IPADDR[0]=", "NETMASK[0]=", "GATEWAY=" },
        { "/etc/rc.d/rc.inet1", "IPADDR=", "NETMASK=", "GATEWAY=" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
        char *text = t->read(t->at, places[i].path);
        if (text && places[i].address) {
            add_value(f, "address", text, places[i].address);
            add_value(f, "netmask", text, places[i].netmask);
        }
        add_value(f, "gateway", text, places[i].gateway);
        free(text);
    }
    char *resolv = t->read(t->at, "/etc/resolv.conf");
    add_value(f, "dns", resolv, "nameserver ");
    free(resolv);
}

static void root_find(const char *fstab, struct facts *f)
{
    char device[128], folder[128];
    for (const char *line = fstab; line && *line; line = strchr(line, '\n'), line += line != NULL)
        if (sscanf(line, " %127[^# \t\n] %127s", device, folder) == 2 && !strcmp(folder, "/"))
            facts_add(f, "root", "%s", device);
}

static void kernel_each(void *arg, const struct tree_entry *e)
{
    const char *v = !strncmp(e->name, "vmlinuz-", 8) ? e->name + 8 : e->name;
    if (isdigit((unsigned char)v[0]) && v[1] == '.')
        facts_add(arg, "kernel", "%s", v);
}

void detect_linux(const struct tree *t, struct facts *f)
{
    static const char *const folders[] = { "/etc", "/var/log", "/", NULL };
    char *fstab = t->read(t->at, "/etc/fstab");
    if (!fstab && !tree_has(t, "/etc/inittab") && !tree_has(t, "/etc/passwd")) {
        t->list(t->at, "/", kernel_each, f);    /* a separate /boot, perhaps */
        return;
    }
    facts_add(f, "os.type", "linux");
    linux_distribution(t, f);
    linux_network(t, f);
    root_find(fstab, f);
    t->list(t->at, "/boot", kernel_each, f);
    t->list(t->at, "/lib/modules", kernel_each, f);
    char *name = t->read(t->at, "/etc/hostname");
    char *old_name = name ? NULL : t->read(t->at, "/etc/HOSTNAME");
    char *network = t->read(t->at, "/etc/sysconfig/network");
    if (name || old_name)
        facts_add(f, "hostname", "%.*s", (int)strcspn(name ? name : old_name, "\r\n"), name ? name : old_name);
    add_value(f, "hostname", network, "HOSTNAME=");
    free(name);
    free(old_name);
    free(network);
    free(fstab);
    year_find(t, f, folders);
}
