/* Files of a foreign disk as text, for the rules of systems.rules. */
#ifndef IMPORTERS_VIEWS_H
#define IMPORTERS_VIEWS_H
#include "importers/disk/trees.h"
#include "importers/systems/facts.h"

/* Where rules look: the files of a volume (an empty tree where nobody reads its file system), and the volume itself. */
struct place { struct tree tree; struct block *disk; uint64_t start, length; const char *about; };

enum view_kind { VIEW_TEXT, VIEW_NAMES, VIEW_BYTES };
enum { VIEW_MOST = 4 << 20, VIEW_BYTES_MOST = 48 << 20, VIEWS_MOST = 1024, VIEWS_BYTES_MOST = 96 << 20 };
struct view { char path[TREE_PATH_MOST]; enum view_kind kind; char *text; size_t length; };
struct views { const struct place *place; struct view list[VIEWS_MOST]; size_t count, bytes; };     /* text NULL: no such file */

/* TEXT: a text file as it is. Of any other: `@size=N`, `@head=` with its first 64 bytes in hexadecimal, `@version=` of its
 * version resource, `@last=YYYY-MM-DD` of the last entry of a file named wtmp, then its runs of four and more characters, a
 * line each. NAMES: the names in a folder, a line each, a slash behind folders. BYTES: the file. The paths @volume (what the
 * partition table and its boot sector say), @boot, @raw (the first 64 KiB and 8 MiB of the volume) and @mbr are texts too.
 * NULL: no such file. */
const struct view *view_get(struct views *, enum view_kind, const char *path);
void views_free(struct views *);

#endif
