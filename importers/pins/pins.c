/* Pins. Which fact means which setting is data, legacy-profiles/pins.rules: the first line that gives a setting wins. Here is what
 * needs arithmetic: geometries, sizes within a system's limits, addresses that must make a network, ports. */
#include "importers/pins/pins.h"
#include "importers/pins/rules.h"
#include "base/bits.h"
#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { MEMORY_LEAST = 2 << 20, PORTS = 65536, FORWARDS_MOST = 12 };
#define MEMORY_MOST (UINT64_C(3584) << 20)      /* more would lie above 4 GB, which few old systems look at */

struct wish { char value[96], why[IMPORT_TEXT]; };
struct work {
    struct import_result *r;
    struct facts facts;                         /* the identity's, then the disks' */
    struct wish memory, memory_limit, cpu, cpu_limit, bus;
    bool skip[PORTS], taken[2][PORTS];          /* services that are not offered; the host's ports, TCP and UDP */
};

static void finding(struct import_result *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void finding(struct import_result *r, const char *fmt, ...)
{
    struct import_disk *d = &r->disks[0];
    va_list args;
    va_start(args, fmt);
    if (d->finding_count < IMPORT_FINDINGS)
        vsnprintf(d->findings[d->finding_count++], IMPORT_TEXT, fmt, args);
    va_end(args);
}

static bool pinned(const struct import_result *r, const char *section, const char *key)
{
    for (unsigned i = 0; i < r->pin_count; i++)
        if (!strcmp(r->pins[i].section, section) && !strcmp(r->pins[i].key, key))
            return true;
    return false;
}

/* A line for guest.profile, unless there is one for the key. A value that a profile cannot hold is a finding. */
static void pin(struct import_result *r, const char *section, const char *key, const char *value, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));
static void pin(struct import_result *r, const char *section, const char *key, const char *value, const char *fmt, ...)
{
    struct import_pin *p = &r->pins[r->pin_count];
    va_list args;
    if (!*value || r->pin_count == IMPORT_PINS || pinned(r, section, key))
        return;
    if (strpbrk(value, strcmp(key, "forward") ? ",;\"" : ";\"") || strlen(value) >= sizeof(p->value)) {
        finding(r, "%s.%s is not pinned: a profile cannot hold the value '%s'", section, key, value);
        return;
    }
    snprintf(p->section, sizeof(p->section), "%s", section);
    snprintf(p->key, sizeof(p->key), "%s", key);
    snprintf(p->value, sizeof(p->value), "%s", value);
    va_start(args, fmt);
    vsnprintf(p->reason, sizeof(p->reason), fmt, args);
    va_end(args);
    r->pin_count++;
}

/* --- rules ---------------------------------------------------------------------------------------------------- */

/* All disks on IDE, or on the SCSI adapter that the wish names. */
static void bus_pins(struct work *w)
{
    bool scsi = *w->bus.value && strcmp(w->bus.value, "ide");
    for (unsigned n = 0; n < w->r->disk_count; n++)
        pin(w->r, (char[]){ 'd', 'i', 's', 'k', (char)('0' + n), 0 }, "bus", scsi ? "scsi" : w->bus.value, "%s", w->bus.why);
    if (scsi)
        pin(w->r, "scsi", "card", w->bus.value, "%s", w->bus.why);
}

static void ports_skip(struct work *w, const char *list)
{
    for (char *end; *list; list = *end ? end + 1 : end) {
        unsigned long port = strtoul(list, &end, 10);
        if (end == list)
            return;
        w->skip[port % PORTS] = true;
    }
}

/* section.key=value, or one of the words that are no settings. */
static bool target(void *arg, const char *text, const char *why)
{
    struct work *w = arg;
    struct wish *wishes[] = { &w->memory, &w->memory_limit, &w->cpu, &w->cpu_limit, &w->bus };
    static const char *const names[] = { "machine.memory", "limit.memory", "cpu.model", "limit.cpu", "disk.bus" };
    const char *equals = strchr(text, '='), *dot = strchr(text, '.');
    char section[16], key[24];
    if (!strcmp(text, "note") || (!strcmp(text, "note:net.card") && !pinned(w->r, "net", "card")) ||
        (!strcmp(text, "note:disk.bus") && !*w->bus.value))
        finding(w->r, "%s", why);
    if (!equals || !dot || dot > equals)
        return true;
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        if (strncmp(text, names[i], strlen(names[i])) || strlen(names[i]) != (size_t)(equals - text))
            continue;
        if (!*wishes[i]->value) {
            snprintf(wishes[i]->value, sizeof(wishes[i]->value), "%s", equals + 1);
            snprintf(wishes[i]->why, sizeof(wishes[i]->why), "%s", why);
        }
        return true;
    }
    snprintf(section, sizeof(section), "%.*s", (int)(dot - text), text);
    snprintf(key, sizeof(key), "%.*s", (int)(equals - dot - 1), dot + 1);
    if (!strcmp(section, "skip"))
        ports_skip(w, equals + 1);
    else
        pin(w->r, section, key, equals + 1, "%s", why);
    return true;
}

/* What the rules can ask for beyond the facts: the numbers in a processor's name as Windows NT keeps it, the first disk's geometry. */
static void facts_gather(struct work *w, const struct facts *f, const struct identity *id)
{
    const struct facts *from[] = { id ? &id->facts : NULL, f };
    const struct import_geometry *g = &w->r->disks[0].geometry;
    unsigned family, model, stepping;
    for (size_t i = 0; i < ARRAY_SIZE(from); i++)
        for (size_t n = 0; from[i] && n < from[i]->count; n++)
            facts_add(&w->facts, from[i]->list[n].key, "%s", from[i]->list[n].value);
    const char *cpu = facts_get(&w->facts, "cpu"), *numbers = cpu ? strcasestr(cpu, "family ") : NULL;
    if (numbers && !facts_get(&w->facts, "cpu.family") && sscanf(numbers + 7, "%u %*[Mm]odel %u %*[Ss]tepping %u", &family, &model, &stepping) == 3) {
        facts_add(&w->facts, "cpu.family", "%u", family);
        facts_add(&w->facts, "cpu.model", "%u", model);
    }
    if (g->heads)
        facts_add(&w->facts, "geometry", "%ux%u", g->heads, g->sectors);
    facts_add(&w->facts, "disks", "%u", w->r->disk_count);
}

/* --- geometry, memory, processor ------------------------------------------------------------------------------ */

/* What the disk says, else what the old BIOS said by INT 13h. */
static void geometry_pins(struct work *w)
{
    static const char *const keys[] = { "cylinders", "heads", "sectors" };
    for (unsigned n = 0; n < w->r->disk_count; n++) {
        const struct import_geometry *g = &w->r->disks[n].geometry;
        uint32_t value[] = { g->cylinders, g->heads, g->sectors };
        const char *why = g->reason;
        char section[] = "disk0", name[24], text[12];
        section[4] = (char)('0' + n);
        for (size_t k = 0; !g->heads && k < 3; k++) {
            snprintf(name, sizeof(name), "%s.%s", section, keys[k]);
            const char *known = facts_get(&w->facts, name);
            value[k] = known ? (uint32_t)strtoul(known, NULL, 10) : 0;
            why = "the old machine's BIOS had it";
        }
        if (!g->heads && value[1] && value[2])  /* a BIOS keeps the last cylinder for itself */
            value[0] = (uint32_t)MAX(1, MIN(w->r->disks[n].sectors / ((uint64_t)value[1] * value[2]), UINT32_MAX));
        if (value[1] > 255 || value[2] > 63)
            finding(w->r, "disk %u: the geometry with %u heads and %u sectors is not pinned: a BIOS has at most 255 and 63", n, value[1], value[2]);
        else
            for (size_t k = 0; value[1] && value[2] && k < 3; k++) {
                snprintf(text, sizeof(text), "%u", value[k]);
                pin(w->r, section, keys[k], text, "%s", why);
            }
    }
}

static void memory_pin(struct work *w)
{
    uint64_t had = size_read(w->memory.value), limit = size_read(w->memory_limit.value), size = had;
    char text[24];
    if (!had)
        return;
    limit = limit ? MIN(limit, MEMORY_MOST) : MEMORY_MOST;
    size = (MAX(MIN(size, limit), (uint64_t)MEMORY_LEAST) + 0xfff) & ~UINT64_C(0xfff);
    snprintf(text, sizeof(text), size % (1 << 20) ? "%lluK" : "%lluM", (unsigned long long)(size % (1 << 20) ? size >> 10 : size >> 20));
    if (size >= had)
        pin(w->r, "machine", "memory", text, "%s", w->memory.why);
    else
        pin(w->r, "machine", "memory", text, "the old machine had %s; %s", w->memory.value, limit == size && *w->memory_limit.why && limit < MEMORY_MOST ?
            w->memory_limit.why : "more would lie above 4 GB");
}

static void cpu_pin(struct work *w)
{
    static const char *const order[] = { "386", "486sx", "486", "486dx4", "pentium", "pentium-mmx", "pentium-pro", "pentium2", "pentium3", "pentium4" };
    size_t had = ARRAY_SIZE(order), limit = had;
    for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
        if (!strcmp(order[i], w->cpu.value))
            had = i;
        if (!strcmp(order[i], w->cpu_limit.value))
            limit = i;
    }
    if (had < ARRAY_SIZE(order))
        pin(w->r, "cpu", "model", order[MIN(had, limit)], had > limit ? "%s; %s" : "%s", w->cpu.why, w->cpu_limit.why);
}

/* --- network -------------------------------------------------------------------------------------------------- */

static bool host_address(const char *text, uint32_t *a)
{
    struct in_addr in;
    if (!text || inet_pton(AF_INET, text, &in) != 1)
        return false;
    *a = ntohl(in.s_addr);
    return *a >> 24 && *a >> 24 != 127 && *a >> 28 < 0xe;
}

/* The first value of a fact that is a host's address. */
static const char *address_find(const struct facts *f, const char *key, uint32_t *a)
{
    for (size_t i = 0; i < f->count; i++)
        if (!strcmp(f->list[i].key, key) && host_address(f->list[i].value, a))
            return f->list[i].value;
    return NULL;
}

/* A NAT takes the places of the router and the name server that the system knows; only of such as can be on its network. */
static void network_pins(struct work *w)
{
    static const char why[] = "the old system's own setting";
    uint32_t address, mask = 0xffffff00, gateway, dns;
    struct in_addr in;
    const char *text, *netmask = facts_get(&w->facts, "netmask");
    char mac[18], dotted[INET_ADDRSTRLEN];
    if (netmask && !strncasecmp(netmask, "0x", 2)) {            /* as BSD writes it */
        in.s_addr = htonl((uint32_t)strtoul(netmask, NULL, 16));
        netmask = inet_ntop(AF_INET, &in, dotted, sizeof(dotted));
    }
    for (size_t i = 0; i < w->facts.count; i++)
        if (!strcmp(w->facts.list[i].key, "mac") && mac_read(w->facts.list[i].value, mac))
            pin(w->r, "net", "mac", mac, "the old machine's own: licences and activation look at it");
    if (!(text = address_find(&w->facts, "address", &address)))
        return;
    if (netmask && inet_pton(AF_INET, netmask, &in) == 1 && !(~ntohl(in.s_addr) & (~ntohl(in.s_addr) + 1)) && ~ntohl(in.s_addr) >= 7) {
        mask = ntohl(in.s_addr);
        pin(w->r, "net", "netmask", netmask, "%s", why);
    }
    if (!(address & ~mask))
        return;
    pin(w->r, "net", "guest", text, "%s", why);
    text = address_find(&w->facts, "gateway", &gateway);
    if (text && (gateway & mask) == (address & mask) && gateway != address && gateway & ~mask)
        pin(w->r, "net", "gateway", text, "%s", why);
    else if (text && gateway != address)
        finding(w->r, "the gateway %s is not on the network of %s; a NAT cannot take its place", text, facts_get(&w->facts, "address"));
    text = address_find(&w->facts, "dns", &dns);
    if (text && dns != address)
        pin(w->r, "net", "dns", text, "%s", why);
}

/* A port of the host for one of the guest: 23 is 2323, 80 is 8080, 139 is 10139; users may not take those below 1024. */
static unsigned host_port(unsigned port)
{
    return port >= 1024 ? port : port > 10 && port < 100 ? 101 * port : 10000 + port;
}

static void services_pin(struct work *w)
{
    char list[sizeof(((struct import_pin *)0)->value)] = "", names[120] = "", name[32], protocol[4];
    unsigned port, count = 0;
    for (size_t i = 0; i < w->facts.count && count < FORWARDS_MOST; i++) {
        if (strcmp(w->facts.list[i].key, "service") || sscanf(w->facts.list[i].value, "%31s %u/%3s", name, &port, protocol) != 3)
            continue;
        bool udp = !strcmp(protocol, "udp");
        if (!port || port >= PORTS || w->skip[port] || (!udp && strcmp(protocol, "tcp")) || host_port(port) >= PORTS || w->taken[udp][host_port(port)])
            continue;
        size_t used = strlen(list), said = strlen(names);
        w->taken[udp][host_port(port)] = true;
        if ((size_t)snprintf(list + used, sizeof(list) - used, "%s%s:%u:%u", used ? "," : "", protocol, host_port(port), port) >= sizeof(list) - used) {
            list[used] = 0;
            break;
        }
        if (said + strlen(name) + 3 < sizeof(names))
            snprintf(names + said, sizeof(names) - said, "%s%s", said ? ", " : "", name);
        count++;
    }
    pin(w->r, "net", "forward", list, "its services on ports of the host, once net.mode is nat: %s", names);
}

bool pins_make(const char *rules, const struct facts *f, const struct identity *id, struct import_result *r, struct error *err)
{
    struct work *w = calloc(1, sizeof(*w));
    if (!w)
        return error_set(err, ENOMEM, "no memory for the pins");
    w->r = r;
    facts_gather(w, f, id);
    geometry_pins(w);
    bool ok = rules_apply(rules, &w->facts, target, w, err);
    if (ok) {
        bus_pins(w);
        memory_pin(w);
        cpu_pin(w);
        network_pins(w);
        services_pin(w);
    }
    facts_free(&w->facts);
    free(w);
    return ok;
}
