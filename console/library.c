#include "console/library.h"
#include "hypervisor.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* --- the store ------------------------------------------------------------------------------------------------------- */

static bool make_folders(const char *path, struct error *err)
{
    char part[PATH_MAX];

    snprintf(part, sizeof(part), "%s", path);
    for (char *slash = strchr(part + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        mkdir(part, 0777);
        *slash = '/';
    }
    if (mkdir(part, 0700) && errno != EEXIST)
        return error_set(err, errno, "cannot make the guest store %s: %s", part, strerror(errno));
    return true;
}

bool library_folder(char *path, size_t size, bool create, struct error *err)
{
    const char *home = getenv("HOLDOVER_HOME"), *data = getenv("XDG_DATA_HOME"), *user = getenv("HOME");
    int n;

    if (home && *home)
        n = snprintf(path, size, "%s", home);
    else if (data && *data == '/')
        n = snprintf(path, size, "%s/holdover", data);
    else if (user && *user)
        n = snprintf(path, size, "%s/.local/share/holdover", user);
    else
        return error_set(err, ENOENT, "no place for the guest store: set HOLDOVER_HOME");
    if (n < 0 || (size_t)n + GUEST_NAME_MAX + 64 > size)
        return error_set(err, ENAMETOOLONG, "the path of the guest store is too long: set HOLDOVER_HOME to a shorter one");
    return !create || make_folders(path, err);
}

static bool name_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool library_name_valid(const char *name, struct error *err)
{
    size_t n = strlen(name);
    bool ok = n && n <= GUEST_NAME_MAX && name_letter(name[0]);

    for (size_t i = 0; i < n && ok; i++)
        ok = name_letter(name[i]) || strchr("._-", name[i]);
    if (!ok)
        return error_set(err, EINVAL, "'%.80s' is no name for a guest: use up to %d letters, digits, '.', '_' and '-', starting with "
                         "a letter or digit", name, GUEST_NAME_MAX);
    return true;
}

static bool exists_in(const char *folder, const char *name)
{
    char path[PATH_MAX + GUEST_NAME_MAX + 2];

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    return !access(path, F_OK);
}

bool library_name_free(const char *source, char *name, size_t size, struct error *err)
{
    char folder[PATH_MAX], copy[PATH_MAX], base[GUEST_NAME_MAX - 7] = "guest", *dot;
    size_t n = 0;

    if (!library_folder(folder, sizeof(folder), false, err))
        return false;
    snprintf(copy, sizeof(copy), "%s", source);
    if (strcmp(source, "-")) {
        for (const char *p = basename(copy); *p && n + 1 < sizeof(base); p++)
            if (name_letter(*p) || (n && strchr("._-", *p)))
                base[n++] = *p;
        base[n] = 0;
        if ((dot = strrchr(base, '.')) && dot != base)
            *dot = 0;
    }
    if (!*base)
        strcpy(base, "guest");
    snprintf(name, size, "%s", base);
    for (unsigned i = 2; exists_in(folder, name) && i < 100000; i++)
        snprintf(name, size, "%s-%u", base, i);
    return library_name_valid(name, err);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

char **library_list(struct error *err)
{
    char folder[PATH_MAX], **names = calloc(1, sizeof(*names));
    size_t count = 0;
    struct dirent *e;
    struct guest g;
    DIR *dir;

    if (!names)
        abort();
    if (!library_folder(folder, sizeof(folder), false, err)) {
        free(names);
        return NULL;
    }
    if (!(dir = opendir(folder))) {
        if (errno == ENOENT)
            return names;                       /* no store yet: no guests */
        error_set(err, errno, "cannot read the guest store %s: %s", folder, strerror(errno));
        free(names);
        return NULL;
    }
    while ((e = readdir(dir))) {
        char **grown;
        if (e->d_name[0] == '.' || !guest_find(&g, e->d_name, err))
            continue;
        if (!(grown = realloc(names, (count + 2) * sizeof(*names))))
            abort();
        names = grown;
        names[count++] = strdup(e->d_name);
        names[count] = NULL;
    }
    closedir(dir);
    qsort(names, count, sizeof(*names), by_name);
    return names;
}

void library_list_free(char **names)
{
    for (char **n = names; n && *n; n++)
        free(*n);
    free(names);
}

/* --- a guest --------------------------------------------------------------------------------------------------------- */

const char *guest_path(const struct guest *g, const char *rest, char *path)
{
    snprintf(path, PATH_MAX, "%s/%s", g->folder, rest);
    return path;
}

static bool folder_of(struct guest *g, const char *prefix, const char *name, bool create, struct error *err)
{
    char store[PATH_MAX];

    if (!library_folder(store, sizeof(store), create, err))
        return false;
    if (snprintf(g->folder, sizeof(g->folder), "%s/%s%s", store, prefix, name) >= (int)sizeof(g->folder))
        return error_set(err, ENAMETOOLONG, "the path of the guest store is too long: set HOLDOVER_HOME to a shorter one");
    return true;
}

bool guest_find(struct guest *g, const char *name, struct error *err)
{
    char path[PATH_MAX];

    *g = (struct guest){ .lock = -1 };
    if (!library_name_valid(name, err) || !folder_of(g, "", name, false, err))
        return false;
    snprintf(g->name, sizeof(g->name), "%s", name);
    if (access(guest_path(g, "guest.profile", path), F_OK))
        return error_set(err, ENOENT, "there is no guest '%s'; 'holdover list' shows those that exist", name);
    return true;
}

bool guest_half(struct guest *g, const char *name)
{
    char path[PATH_MAX];
    struct error ignored;

    *g = (struct guest){ .lock = -1 };
    snprintf(g->name, sizeof(g->name), "%s", name);
    return library_name_valid(name, &ignored) && folder_of(g, ".import-", name, false, &ignored) &&
           !access(guest_path(g, "evidence/disk0.resume", path), F_OK);
}

bool guest_lock(struct guest *g, struct error *err)
{
    char path[PATH_MAX], text[32];
    int fd = open(guest_path(g, "lock", path), O_RDWR | O_CREAT | O_CLOEXEC, 0600), n;

    if (fd < 0)
        return error_set(err, errno, "cannot lock the guest '%s': %s", g->name, strerror(errno));
    if (flock(fd, LOCK_EX | LOCK_NB)) {
        ssize_t length = read(fd, text, sizeof(text) - 1);
        text[length > 0 ? length : 0] = 0;
        close(fd);
        return error_set(err, EBUSY, "the guest '%s' is in use by process %d; 'holdover stop %s' shuts it down", g->name, atoi(text),
                         g->name);
    }
    n = snprintf(text, sizeof(text), "%d\n", (int)getpid());
    if (ftruncate(fd, 0) || write(fd, text, (size_t)n) != n) {
        error_set(err, errno, "cannot write the lock of the guest '%s': %s", g->name, strerror(errno));
        close(fd);
        return false;
    }
    g->lock = fd;
    return true;
}

pid_t guest_running(const struct guest *g)
{
    char path[PATH_MAX], text[32];
    int fd = open(guest_path(g, "lock", path), O_RDONLY | O_CLOEXEC);
    pid_t pid = 0;

    if (fd < 0)
        return 0;
    if (flock(fd, LOCK_SH | LOCK_NB)) {
        ssize_t n = read(fd, text, sizeof(text) - 1);
        text[n > 0 ? n : 0] = 0;
        pid = atoi(text);
    }
    close(fd);
    return pid;
}

void guest_unlock(struct guest *g)
{
    if (g->lock >= 0)
        close(g->lock);
    g->lock = -1;
}

bool guest_disk(const struct guest *g, unsigned n, char *disk, char *layer)
{
    char name[32], own[PATH_MAX];

    snprintf(name, sizeof(name), n ? "layers/current%u.qcow2" : "layers/current.qcow2", n);
    if (layer)
        guest_path(g, name, layer);
    snprintf(name, sizeof(name), "disk%u.qcow2", n);
    return !access(guest_path(g, name, disk ? disk : own), F_OK);
}

static bool layer_make(const struct guest *g, const char *disk, const char *layer, struct error *err)
{
    char fresh[PATH_MAX], backing[64];
    struct block *b = block_open_qcow2(disk, BLOCK_RDONLY, err);
    uint64_t size = b ? b->size : 0;

    block_close(b);
    mkdir(guest_path(g, "layers", fresh), 0777);
    unlink(guest_path(g, "layers/.current.new", fresh));
    snprintf(backing, sizeof(backing), "..%s", strrchr(disk, '/'));
    if (!b || !qcow2_create(fresh, size, backing, "qcow2", err))
        return false;
    return !rename(fresh, layer) || error_set(err, errno, "cannot make %s: %s", layer, strerror(errno));
}

bool guest_layers(const struct guest *g, struct error *err)
{
    char disk[PATH_MAX], layer[PATH_MAX];
    bool ok = true;

    for (unsigned n = 0; ok && (guest_disk(g, n, disk, layer) || !n); n++)
        ok = !access(layer, F_OK) || layer_make(g, disk, layer, err);
    return ok;
}

/* nftw has no argument for its callback. */
static _Thread_local uint64_t counted;

static int count_file(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)path, (void)at;
    if (kind == FTW_F)
        counted += (uint64_t)st->st_blocks * 512;
    return 0;
}

uint64_t guest_bytes(const struct guest *g)
{
    counted = 0;
    nftw(g->folder, count_file, 16, FTW_PHYS);
    return counted;
}

/* --- making and removing --------------------------------------------------------------------------------------------- */

static int remove_file(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st, (void)kind, (void)at;
    remove(path);
    return 0;
}

static void remove_tree(const char *folder)
{
    nftw(folder, remove_file, 16, FTW_PHYS | FTW_DEPTH);
}

static void sync_folder(const char *folder)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd >= 0) {
        fsync(fd);
        close(fd);
    }
}

static void sync_store(void)
{
    char store[PATH_MAX];
    struct error err;

    if (library_folder(store, sizeof(store), false, &err))
        sync_folder(store);
}

/* An import under way holds its folder's lock; one that can be continued stays. */
void library_sweep(void)
{
    enum { UNLOCKED_SECONDS = 60 };
    char store[PATH_MAX];
    struct dirent *e;
    struct error err;
    DIR *dir;

    if (!library_folder(store, sizeof(store), false, &err) || !(dir = opendir(store)))
        return;
    while ((e = readdir(dir))) {
        struct guest g = { .lock = -1 };
        bool removed = !strncmp(e->d_name, ".removed-", 9), import = !strncmp(e->d_name, ".import-", 8);
        struct stat st;
        char path[PATH_MAX];
        if ((!removed && !import) || !folder_of(&g, "", e->d_name, false, &err))
            continue;
        if (import && !access(guest_path(&g, "evidence/disk0.resume", path), F_OK))
            continue;
        if (import && access(guest_path(&g, "lock", path), F_OK) &&
            (stat(g.folder, &st) || time(NULL) - st.st_mtime < UNLOCKED_SECONDS))
            continue;                           /* just being made */
        if (removed || guest_lock(&g, &err))
            remove_tree(g.folder);
        guest_unlock(&g);
    }
    closedir(dir);
}

bool library_begin(struct guest *g, const char *name, struct error *err)
{
    static const char *const folders[] = { "layers", "state", "evidence" };
    char path[PATH_MAX];
    struct guest there;

    *g = (struct guest){ .lock = -1 };
    if (!library_name_valid(name, err))
        return false;
    if (guest_find(&there, name, err))
        return error_set(err, EEXIST, "there is already a guest '%s': choose another --name, or remove it", name);
    if (!folder_of(g, ".import-", name, true, err))
        return false;
    snprintf(g->name, sizeof(g->name), "%s", name);
    library_sweep();
    if (mkdir(g->folder, 0777) && errno != EEXIST)
        return error_set(err, errno, "cannot make %s: %s", g->folder, strerror(errno));
    for (size_t i = 0; i < ARRAY_SIZE(folders); i++)
        mkdir(guest_path(g, folders[i], path), 0777);
    return guest_lock(g, err);                  /* not: another import of that name is under way */
}

/* RENAME_NOREPLACE where the file system knows it; a folder with files in it is never replaced by rename anyway. */
static bool move_folder(const char *from, const char *to, const char *name, struct error *err)
{
    if (!renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) || (errno == EINVAL && !rename(from, to)))
        return true;
    if (errno == EEXIST || errno == ENOTEMPTY)
        return error_set(err, EEXIST, "there is already a guest '%s': choose another name", name);
    return error_set(err, errno, "cannot rename %s to %s: %s", from, to, strerror(errno));
}

bool library_commit(struct guest *g, struct error *err)
{
    struct guest final = { .lock = -1 };

    if (!folder_of(&final, "", g->name, true, err))
        return false;
    sync_folder(g->folder);
    if (!move_folder(g->folder, final.folder, g->name, err))
        return false;
    sync_store();
    memcpy(g->folder, final.folder, sizeof(g->folder));
    return true;
}

void library_discard(struct guest *g)
{
    remove_tree(g->folder);
    guest_unlock(g);
}

bool guest_rename(struct guest *g, const char *name, struct error *err)
{
    struct guest to = { .lock = -1 };

    if (!library_name_valid(name, err) || !folder_of(&to, "", name, false, err) || !move_folder(g->folder, to.folder, name, err))
        return false;
    sync_store();
    memcpy(g->folder, to.folder, sizeof(g->folder));
    snprintf(g->name, sizeof(g->name), "%s", name);
    return true;
}

bool guest_remove(struct guest *g, struct error *err)
{
    char hidden[GUEST_NAME_MAX + 32];
    struct guest to = { .lock = -1 };

    snprintf(hidden, sizeof(hidden), "%s-%d", g->name, (int)getpid());
    if (!folder_of(&to, ".removed-", hidden, false, err))
        return false;
    if (rename(g->folder, to.folder))
        return error_set(err, errno, "cannot remove %s: %s", g->folder, strerror(errno));
    sync_store();
    remove_tree(to.folder);
    return true;
}
