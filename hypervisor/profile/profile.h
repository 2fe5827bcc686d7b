/* A profile: what an old system needs, as `section.key = value` settings with the place each came from. INI files (parsed by
 * inih), inheritance (`inherit = generic-dos` in [profile]), then overrides from the command line. */
#ifndef PROFILE_PROFILE_H
#define PROFILE_PROFILE_H
#include "base/property.h"
#include <stdio.h>

struct setting { char *section, *key, *value, *file, *reason; unsigned line; bool inherited; };    /* inherited: from a base profile */
struct profile { char *name; struct setting *settings; size_t count; };

struct profile *profile_new(void);
/* A shipped profile by name (searched in $HOLDOVER_PROFILES, the build's legacy-profiles/, the installed data folder), or a path. */
struct profile *profile_load(const char *name_or_path, struct error *);
void profile_free(struct profile *);
void setting_free(struct setting *);
/* Keys and values of the fixed sections are checked at once; those of devices when the machine is made. file may be NULL. */
bool profile_set(struct profile *, const char *section, const char *key, const char *value, const char *file, unsigned line,
                 struct error *);
void profile_reason(struct profile *, const char *section, const char *key, const char *text);  /* a comment that profile_write puts before it */
bool profile_set_text(struct profile *, const char *assignment, struct error *);   /* "section.key=value" of --set */
const char *profile_get(const struct profile *, const char *section, const char *key);   /* NULL: not set */
/* Fills an object from one section; errors name file and line. */
bool profile_apply(const struct profile *, const char *section, const struct property *, void *object, struct error *);
bool profile_write(const struct profile *, const char *path, struct error *);      /* new name, fsync, rename; own settings only */
void profile_print(const struct profile *, FILE *, bool all);       /* as a file; all: inherited settings too, with their place */
const char *profile_folder(void);               /* where shipped profiles are */
/* Names of the shipped profiles, sorted; a NULL closes the list. profile_list_free releases it. */
char **profile_list(struct error *);
void profile_list_free(char **names);

/* The fixed sections; boards, the console and `profiles check` all read these tables. */
struct profile_about { char *inherit, *summary; };
struct profile_machine { char *board, *firmware, *vga_firmware, *date, *clock, *disk_latency; uint64_t memory; bool debug_exit, acpi, utc; };
struct profile_cpu { char *model, *features, *engine; uint8_t count; uint64_t clock, icount; uint32_t cpuid_max; bool dos_idle; };
struct profile_translator { uint64_t cache; bool perf_map, windows; };
struct profile_scsi { char *card; bool cdrom; uint8_t cdrom_id; };
struct profile_net { char *card, *mode, *mac, *guest, *gateway, *netmask, *dns, *forward, *capture, *rom; bool outside, host; };
enum { SMBIOS_BIOS_DATE = 2, SMBIOS_BOARD = 7, SMBIOS_TEXTS = 11 };
struct profile_smbios { char *text[SMBIOS_TEXTS], *uuid; };     /* in the order of their properties */
struct profile_stop { char *keys, *text; uint32_t timeout; bool power_button; };
struct profile_window { char *scale; bool fullscreen; };
extern const struct property profile_about_properties[], profile_machine_properties[], profile_cpu_properties[],
    profile_translator_properties[], profile_scsi_properties[], profile_net_properties[], profile_smbios_properties[], profile_stop_properties[], profile_window_properties[];
/* Sections that exist, closed by a NULL name. Any other section must be a device id of the machine: [floppy0] and so on. */
struct profile_section { const char *name; const struct property *properties; const char *summary; };
extern const struct profile_section profile_sections[];
const struct profile_section *profile_section_find(const char *name);   /* NULL: a device's, or none */
#define PROFILE_OBJECT_MAX 256                  /* no struct above is larger */

#endif
