/* identity.txt: `key=value`, a line each. It comes from an old machine, by hands that we do not know: every line is looked at
 * before any is believed, and nothing of a bad one is repeated. */
#include "importers/pins/identity.h"
#include "base/bits.h"
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { FILE_MOST = 65536, LINES_MOST = 1000, KEY_MOST = 31, VALUE_MOST = 190 };

bool mac_read(const char *text, char mac[18])
{
    uint8_t byte[6] = { 0 }, any = 0;
    unsigned digits = 0;
    for (const char *p = text; *p; p++) {
        unsigned c = (unsigned char)*p, digit = isdigit((int)c) ? c - '0' : (unsigned)tolower((int)c) - 'a' + 10;
        if (isxdigit((int)c) && digits < 12)
            byte[digits / 2] = (uint8_t)(byte[digits / 2] << 4 | digit), any |= (uint8_t)digit, digits++;
        else if (!strchr(":-. ", (int)c) || digits % 2 || !digits)
            return false;
    }
    if (digits != 12 || byte[0] & 1 || !any)    /* a group's address, or none */
        return false;
    snprintf(mac, 18, "%02x:%02x:%02x:%02x:%02x:%02x", byte[0], byte[1], byte[2], byte[3], byte[4], byte[5]);
    return true;
}

uint64_t size_read(const char *text)
{
    static const char units[] = "KMGT";
    char *end;
    unsigned long long n = strtoull(text, &end, 10);
    if (end == text || !isdigit((unsigned char)*text))
        return 0;
    end += strspn(end, " ");
    const char *unit = *end ? strchr(units, toupper((unsigned char)*end)) : NULL;
    unsigned shift = unit ? 10 * (unsigned)(unit - units + 1) : 0;
    if (unit)
        end++;
    if (!strncasecmp(end, "iB", 2))
        end += 2;
    else if (toupper((unsigned char)*end) == 'B')
        end++;
    return *end || n > UINT64_MAX >> shift >> 8 ? 0 : n << shift;
}

static bool is_mac(const char *v) { char mac[18]; return mac_read(v, mac); }
static bool is_size(const char *v) { return size_read(v) > 0; }
static bool is_number(const char *v) { return strspn(v, "0123456789") == strlen(v) && strlen(v) < 10; }
static bool is_offset(const char *v) { return is_number(v + (*v == '-')); }
static bool is_yes_no(const char *v) { return !strcmp(v, "yes") || !strcmp(v, "no"); }
static bool is_address(const char *v) { struct in_addr a; return inet_pton(AF_INET, v, &a) == 1; }

static bool is_pci(const char *v)
{
    unsigned vendor, device;
    int n = 0;
    return sscanf(v, "%4x:%4x%n", &vendor, &device, &n) == 2 && n == 9 && (!v[9] || v[9] == ' ');
}

static bool is_uuid(const char *v)
{
    for (size_t i = 0; i < 36; i++)
        if (i == 8 || i == 13 || i == 18 || i == 23 ? v[i] != '-' : !isxdigit((unsigned char)v[i]))
            return false;
    return !v[36];
}

/* "08/14/98", "08/14/1998", "1998-08-14" with or without a time */
static bool is_date(const char *v)
{
    return !fnmatch("[0-9][0-9]/[0-9][0-9]/[0-9][0-9]", v, 0) || !fnmatch("[0-9][0-9]/[0-9][0-9]/[0-9][0-9][0-9][0-9]", v, 0) ||
           (!fnmatch("[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]*", v, 0) && strspn(v, "0123456789-:T ") == strlen(v));
}

/* Keys whose values have a form; all others are text, kept for the record. */
static const struct form { const char *key; bool (*is)(const char *); const char *what; } forms[] = {
    { "mac", is_mac, "a network card's address, as in 00:50:56:12:34:56" }, { "memory", is_size, "a size, as in 64M" },
    { "bios.date", is_date, "a date, as in 08/14/98" }, { "system.uuid", is_uuid, "a UUID" }, { "pci", is_pci, "a PCI id, as in 8086:7110" },
    { "cpu.family", is_number, "a number" }, { "cpu.model", is_number, "a number" }, { "cpu.stepping", is_number, "a number" },
    { "cpu.mhz", is_number, "a number" }, { "cpu.count", is_number, "a number" },
    { "disk[0-9].cylinders", is_number, "a number" }, { "disk[0-9].heads", is_number, "a number" },
    { "disk[0-9].sectors", is_number, "a number" }, { "disk[0-9].bytes", is_size, "a size" },
    { "clock", is_date, "a date" }, { "clock.utc", is_yes_no, "yes or no" }, { "clock.offset", is_offset, "a number of seconds" },
    { "address", is_address, "an IPv4 address" }, { "netmask", is_address, "an IPv4 address" }, { "gateway", is_address, "an IPv4 address" },
};

/* One line; false: err tells what is wrong with it. */
static bool line_take(struct identity *id, char *line, const char *path, unsigned number, struct error *err)
{
    char *equals = strchr(line, '='), mac[18];
    size_t key = equals ? (size_t)(equals - line) : 0;
    if (!*line || *line == '#')
        return true;
    if (!key || key > KEY_MOST || strspn(line, "abcdefghijklmnopqrstuvwxyz0123456789.-") != key)
        return error_set(err, EINVAL, "%s:%u: a line of an identity reads key=value", path, number);
    *equals = 0;
    char *value = equals + 1 + strspn(equals + 1, " \t");
    for (size_t n = strlen(value); n && strchr(" \t", value[n - 1]); n--)
        value[n - 1] = 0;
    for (const char *p = value; *p; p++)
        if ((unsigned char)*p < ' ' || *p == 0x7f)
            return error_set(err, EINVAL, "%s:%u: the value of %s has control characters", path, number, line);
    if (strlen(value) > VALUE_MOST)
        return error_set(err, EINVAL, "%s:%u: the value of %s is longer than %d characters", path, number, line, VALUE_MOST);
    if (!*value)
        return true;
    for (size_t i = 0; i < ARRAY_SIZE(forms); i++)
        if (!fnmatch(forms[i].key, line, 0) && !forms[i].is(value))
            return error_set(err, EINVAL, "%s:%u: the value of %s is not %s", path, number, line, forms[i].what);
    facts_add(&id->facts, line, "%s", !strcmp(line, "mac") && mac_read(value, mac) ? mac : value);
    return true;
}

bool identity_read(const char *path, struct identity *id, struct error *err)
{
    static const char first[] = "holdover-identity=";
    char *text = calloc(1, FILE_MOST + 2), *line = text;
    FILE *file = fopen(path, "re");
    size_t length = file && text ? fread(text, 1, FILE_MOST + 1, file) : 0;
    bool ok = file && text && !ferror(file);
    *id = (struct identity){ 0 };
    if (!ok)
        error_set(err, errno, "cannot read the identity %s: %s", path, strerror(errno));
    else if (length > FILE_MOST || strncmp(text, first, strlen(first)))
        ok = error_set(err, EINVAL, "%s is no identity of an old machine: those begin with %s1 (see docs/identity.md)", path, first);
    else if (strtoul(text + strlen(first), NULL, 10) != 1)
        ok = error_set(err, EINVAL, "the identity %s is of a later version of the format than 1", path);
    char *dos_end = ok ? memchr(text, 0x1a, length) : NULL;
    if (dos_end)                                /* DOS text files may end so, with anything behind */
        length = (size_t)(dos_end - text), *dos_end = 0;
    if (ok && strlen(text) < length)
        ok = error_set(err, EINVAL, "the identity %s is not a text", path);
    for (unsigned number = 1; ok && line && *line; number++) {
        char *next = strpbrk(line, "\r\n");
        if (next && *next == '\r' && next[1] == '\n')
            *next++ = 0;
        if (next)
            *next++ = 0;
        ok = number > 1 ? line_take(id, line, path, number, err) : true;
        if (ok && number > LINES_MOST)
            ok = error_set(err, EINVAL, "the identity %s has more than %d lines", path, LINES_MOST);
        line = next;
    }
    if (file)
        fclose(file);
    free(text);
    if (!ok)
        identity_free(id);
    return ok;
}

void identity_free(struct identity *id)
{
    facts_free(&id->facts);
}
