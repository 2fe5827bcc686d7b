/* libFuzzer: the input is cut into files of a disk, each named by a path that the rules look for; the shipped rules are run. Every
 * value that comes out must be text that a terminal shows as it is. */
#include "importers/systems/systems.h"
#include "base/bits.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char *const paths[] = {
    "/MSDOS.SYS", "/IO.SYS", "/COMMAND.COM", "/CONFIG.SYS", "/AUTOEXEC.BAT", "/boot.ini", "/NTLDR", "/WINDOWS/SYSTEM.DAT", "/WINDOWS/SYSTEM.INI", "/WINDOWS/WIN.INI",
    "/WINDOWS/WIN.COM", "/WINDOWS/SYSTEM/USER.EXE", "/WINDOWS/PROTOCOL.INI", "/WINNT/system32/config/SYSTEM", "/WINNT/system32/config/SOFTWARE", "/OS2KRNL", "/OS2/INSTALL/SYSLEVEL.OS2",
    "/NWSERVER/SERVER.EXE", "/NWSERVER/AUTOEXEC.NCF", "/etc/fstab", "/etc/inittab", "/etc/modules.conf", "/etc/inetd.conf", "/etc/redhat-release", "/etc/network/interfaces",
    "/etc/rc.conf", "/etc/X11/XF86Config", "/var/lib/dpkg/status", "/var/log/wtmp", "/var/log/dmesg", "/kernel", "/netbsd", "/unix", "/boot/vmlinuz-2.4.18", "/lib/modules/2.4.18/x",
    "/etc/rc.d/rc3.d/S10sshd", "/etc/xinetd.d/telnet", "/etc/sysconfig/hwconf",
};
struct part { const uint8_t *bytes; size_t length; };

static bool part_get(void *at, const char *path, uint64_t offset, void *to, size_t *length)
{
    const struct part *parts = at;
    for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
        if (parts[i].bytes && !strcasecmp(path, paths[i])) {
            *length = offset < parts[i].length ? MIN(*length, parts[i].length - offset) : 0;
            memcpy(to, parts[i].bytes + MIN(offset, parts[i].length), *length);
            return true;
        }
    return false;
}

static bool part_list(void *at, const char *path, tree_each *each, void *arg)
{
    const struct part *parts = at;
    size_t n = strlen(path) - (path[strlen(path) - 1] == '/');
    bool any = false;
    for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
        char name[64];
        if (!parts[i].bytes || strncasecmp(path, paths[i], n) || paths[i][n] != '/')
            continue;
        snprintf(name, sizeof(name), "%.*s", (int)strcspn(paths[i] + n + 1, "/"), paths[i] + n + 1);
        each(arg, &(struct tree_entry){ .name = name, .folder = strchr(paths[i] + n + 1, '/'), .day = 19990101 });
        any = true;
    }
    return any;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct systems_rules *rules;
    struct part parts[ARRAY_SIZE(paths)] = { 0 };
    struct facts found[SYSTEMS_MOST];
    struct error err;
    if (!rules && !(rules = systems_load("legacy-profiles/systems.rules", &err)))
        abort();
    while (size >= 3) {                         /* which file, how long, its bytes */
        struct part *p = &parts[data[0] % ARRAY_SIZE(paths)];
        size_t n = MIN((size_t)le16_get(data + 1) % 1024, size - 3);
        *p = (struct part){ data + 3, n };
        data += 3 + n;
        size -= 3 + n;
    }
    struct place place = { .tree = { .at = parts, .read_part = part_get, .list = part_list }, .about = "number=1\ntype=06\nactive=1\nfs=fat16\nlabel=\noem=MSDOS5.0\n" };
    size_t count = systems_find(rules, &place, found);
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < found[i].count; k++)
            for (const char *c = found[i].list[k].value; *c; c++)
                if (*c < ' ' || *c > '~')
                    abort();
        facts_free(&found[i]);
    }
    return 0;
}
