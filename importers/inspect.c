/* Looking inside a disk. libguestfs starts a small Linux on the disk: a damaged disk can make it hang, so it runs in a child
 * with a time limit, in a process group of its own that is killed as a whole, and answers with JSON through a pipe. */
#include "importers/inspect.h"
#include "importers/trees.h"
#include "base/bits.h"
#include <errno.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <fcntl.h>
#include <unistd.h>
#ifdef HAVE_GUESTFS
#include <guestfs.h>
#endif

static void year_keep_newest(struct facts *f)
{
    unsigned newest = 0;
    for (size_t i = 0; i < f->count; i++)
        if (!strcmp(f->list[i].key, "year"))
            newest = MAX(newest, (unsigned)atoi(f->list[i].value));
    facts_remove(f, "year");
    if (newest)
        facts_add(f, "year", "%u", newest);
}

static void light_ext(struct block *disk, uint64_t start, uint64_t length, struct facts *f)
{
    struct ext_volume v;
    struct tm tm;
    if (!ext_open(disk, start, length, &v))
        return;
    time_t written = v.written;
    if (v.written && gmtime_r(&written, &tm))
        facts_add(f, "year", "%d", tm.tm_year + 1900);
    struct tree t = ext_tree(&v);
    detect_linux(&t, f);
}

void inspect_light(struct block *disk, const struct partition_table *t, struct facts *f)
{
    facts_add(f, "table", "%s", table_kind_names[t->kind]);
    for (size_t i = 0; i < t->count; i++) {
        const struct partition *p = &t->list[i];
        uint64_t start = p->start * SECTOR, length = start < disk->size ? MIN(p->sectors * SECTOR, disk->size - start) : 0;
        struct fat_volume fat;
        facts_add(f, "fs", "%s", p->fs);
        if (!strncmp(p->fs, "ext", 3)) {
            light_ext(disk, start, length, f);
        } else if (!strncmp(p->fs, "fat", 3) && fat_open(disk, start, length, &fat)) {
            struct tree tree = fat_tree(&fat);
            detect_dos(&tree, f);
        }
    }
    year_keep_newest(f);
}

#ifdef HAVE_GUESTFS

enum { APPLICATIONS_MOST = 3000, ANSWER_MOST = 4 << 20 };

static void strings_free(char **list)
{
    for (size_t i = 0; list && list[i]; i++)
        free(list[i]);
    free(list);
}

static void set_taken(json_t *object, const char *key, char *value)
{
    if (value && *value && strcmp(value, "unknown"))
        json_object_set_new(object, key, json_string(value));
    free(value);
}

static char *guestfs_tree_read(void *at, const char *path)
{
    size_t length;
    if (guestfs_is_file_opts(at, path, GUESTFS_IS_FILE_OPTS_FOLLOWSYMLINKS, 1, -1) != 1)
        return NULL;
    char *bytes = guestfs_pread(at, path, TREE_FILE_MOST, 0, &length), *text = bytes ? realloc(bytes, length + 1) : NULL;
    if (text)
        text[length] = 0;
    return text;
}

static bool guestfs_tree_list(void *at, const char *path, tree_each *each, void *arg)
{
    char **names = guestfs_is_dir(at, path) == 1 ? guestfs_ls(at, path) : NULL;
    for (size_t i = 0; names && names[i]; i++)
        each(arg, &(struct tree_entry){ .name = names[i] });
    strings_free(names);
    return names;
}

static int by_length(const void *a, const void *b)
{
    size_t x = strlen(((char *const *)a)[0]), y = strlen(((char *const *)b)[0]);
    return (x > y) - (x < y);
}

/* Mounts a system's file systems, `/` before `/usr`; what an old fstab names and is not there is left out. */
static void mount_all(guestfs_h *g, char **mounts, json_t *list)
{
    size_t n = 0;
    while (mounts && mounts[n] && mounts[n + 1])
        n += 2;
    qsort(mounts, n / 2, 2 * sizeof(*mounts), by_length);
    for (size_t i = 0; i < n; i += 2) {
        bool ok = !guestfs_mount_ro(g, mounts[i + 1], mounts[i]);
        json_object_set_new(list, mounts[i], json_sprintf("%s%s", mounts[i + 1], ok ? "" : " (cannot be mounted)"));
    }
}

static void applications(guestfs_h *g, const char *root, json_t *list)
{
    struct guestfs_application2_list *apps = guestfs_inspect_list_applications2(g, root);
    for (uint32_t i = 0; apps && i < apps->len && i < APPLICATIONS_MOST; i++) {
        const struct guestfs_application2 *a = &apps->val[i];
        const char *name = *a->app2_display_name ? a->app2_display_name : a->app2_name;
        json_t *text = json_sprintf("%s%s%s", name, *a->app2_version ? " " : "", a->app2_version);
        if (text)                               /* not UTF-8: left out */
            json_array_append_new(list, text);
    }
    guestfs_free_application2_list(apps);
}

static json_t *system_look(guestfs_h *g, const char *root, struct facts *f)
{
    json_t *s = json_object(), *mounts = json_object(), *apps = json_array();
    json_object_set_new(s, "root", json_string(root));
    set_taken(s, "type", guestfs_inspect_get_type(g, root));
    set_taken(s, "distro", guestfs_inspect_get_distro(g, root));
    set_taken(s, "product", guestfs_inspect_get_product_name(g, root));
    set_taken(s, "arch", guestfs_inspect_get_arch(g, root));
    set_taken(s, "hostname", guestfs_inspect_get_hostname(g, root));
    json_object_set_new(s, "major", json_integer(guestfs_inspect_get_major_version(g, root)));
    json_object_set_new(s, "minor", json_integer(guestfs_inspect_get_minor_version(g, root)));
    char **points = guestfs_inspect_get_mountpoints(g, root);
    mount_all(g, points, mounts);
    strings_free(points);
    applications(g, root, apps);
    json_object_set_new(s, "mountpoints", mounts);
    json_object_set_new(s, "application_count", json_integer((json_int_t)json_array_size(apps)));
    json_object_set_new(s, "applications", apps);
    struct tree t = { .at = g, .read = guestfs_tree_read, .list = guestfs_tree_list };
    const char *type = json_string_value(json_object_get(s, "type"));
    if (type && !strcmp(type, "linux"))
        detect_linux(&t, f);
    guestfs_umount_all(g);
    return s;
}

static void system_facts(const json_t *s, struct facts *f)
{
    static const struct { const char *key, *fact; } names[] = {
        { "type", "os.type" }, { "distro", "os.distro" }, { "product", "os.product" }, { "arch", "os.arch" },
        { "hostname", "hostname" },
    };
    json_t *app;
    size_t i;
    for (i = 0; i < ARRAY_SIZE(names); i++) {
        const char *value = json_string_value(json_object_get(s, names[i].key));
        if (value && !facts_get(f, names[i].fact))
            facts_add(f, names[i].fact, "%s", value);
    }
    json_int_t major = json_integer_value(json_object_get(s, "major")), minor = json_integer_value(json_object_get(s, "minor"));
    if (major && !facts_get(f, "os.version"))
        facts_add(f, "os.version", "%lld.%lld", (long long)major, (long long)minor);
    json_array_foreach(json_object_get(s, "applications"), i, app)
        facts_add(f, "application", "%s", json_string_value(app));
}

/* The child's work: everything that libguestfs finds, as one object. */
static json_t *child_look(const char *image, const char *format, const char *folder)
{
    json_t *answer = json_object(), *systems = json_array();
    struct facts f = { 0 };
    guestfs_h *g = guestfs_create();
    json_object_set_new(answer, "systems", systems);
    if (!g) {
        json_object_set_new(answer, "error", json_string("libguestfs cannot start"));
        return answer;
    }
    guestfs_set_error_handler(g, NULL, NULL);
    guestfs_set_tmpdir(g, folder);
    if (guestfs_add_drive_opts(g, image, GUESTFS_ADD_DRIVE_OPTS_READONLY, 1, GUESTFS_ADD_DRIVE_OPTS_FORMAT, format, -1) ||
        guestfs_launch(g)) {
        const char *text = guestfs_last_error(g);
        json_object_set_new(answer, "error", json_sprintf("%.*s", text ? (int)strcspn(text, "\n") : 7, text ? text : "unknown"));
        return answer;
    }
    char **roots = guestfs_inspect_os(g);
    for (size_t i = 0; roots && roots[i]; i++) {
        json_t *s = system_look(g, roots[i], &f);
        system_facts(s, &f);
        json_array_append_new(systems, s);
    }
    strings_free(roots);
    json_object_set_new(answer, "facts", facts_json(&f));
    guestfs_shutdown(g);
    guestfs_close(g);
    facts_free(&f);
    return answer;
}

_Noreturn static void child_run(int out, const char *image, const char *format, const char *folder)
{
    int null = open("/dev/null", O_RDWR);
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (int fd = 0; fd < 3; fd++)
        dup2(null, fd);
    for (int s = 1; s < NSIG; s++)
        signal(s, SIG_DFL);
    signal(SIGPIPE, SIG_IGN);
    setenv("LIBGUESTFS_BACKEND", "direct", 0);
    if (access("/dev/kvm", R_OK | W_OK))
        setenv("LIBGUESTFS_BACKEND_SETTINGS", "force_tcg", 0);
    setenv("XDG_RUNTIME_DIR", folder, 1);       /* sockets too go where the parent cleans up */
    json_t *answer = child_look(image, format, folder);
    _exit(json_dumpfd(answer, out, JSON_COMPACT) ? 1 : 0);
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st, (void)kind, (void)at;
    remove(path);
    return 0;
}

/* The killed processes may still be making files for a moment. */
static void folder_remove(const char *folder)
{
    for (unsigned tries = 0; tries < 100 && !access(folder, F_OK); tries++) {
        if (tries)
            usleep(20000);
        nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    }
}

static double seconds_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Collects the child's answer; NULL with a note when it took too long or was told to stop. */
static char *answer_read(int in, unsigned seconds, bool (*stop)(void *arg), void *arg, char note[IMPORT_TEXT])
{
    double end = seconds_now() + seconds;
    size_t length = 0;
    char *text = malloc(ANSWER_MOST + 1);
    while (text) {
        struct pollfd p = { .fd = in, .events = POLLIN };
        if (stop(arg) || seconds_now() > end) {
            snprintf(note, IMPORT_TEXT, "libguestfs was stopped after %u seconds; the disk is imported without its inspection",
                     seconds);
            break;
        }
        if (poll(&p, 1, 250) <= 0)
            continue;
        ssize_t n = read(in, text + length, ANSWER_MOST - length);
        if (n <= 0) {
            text[length] = 0;
            return text;
        }
        length += (size_t)n;
    }
    free(text);
    return NULL;
}

/* libguestfs knows Windows NT better than we do, and Linux no better. */
static void answer_use(const json_t *answer, struct facts *f)
{
    static const char *const systems[] = { "os.type", "os.distro", "os.product", "os.version" };
    const json_t *found = json_object_get(answer, "facts");
    const char *type = json_string_value(json_array_get(json_object_get(found, "os.type"), 0));
    struct facts theirs = { 0 };
    if (type && (!facts_get(f, "os.type") || !strcmp(type, "windows")))
        for (size_t i = 0; i < ARRAY_SIZE(systems); i++)
            facts_remove(f, systems[i]);
    bool ours = facts_get(f, "os.type");
    facts_merge(&theirs, found);
    for (size_t i = 0; i < theirs.count; i++) {
        const struct fact *fact = &theirs.list[i];
        if (!ours || strncmp(fact->key, "os.", 3) || !facts_get(f, fact->key))
            facts_add(f, fact->key, "%s", fact->value);
    }
    facts_free(&theirs);
    year_keep_newest(f);
}

bool inspect_guestfs(const char *image, const char *format, unsigned seconds, bool (*stop)(void *arg), void *arg,
                     struct facts *f, json_t **report, char note[IMPORT_TEXT])
{
    char folder[64];
    const char *base = getenv("TMPDIR");        /* a socket's path is short: a long folder is not taken */
    snprintf(folder, sizeof(folder), "%s/holdover-look-XXXXXX", base && *base == '/' && strlen(base) < 40 ? base : "/tmp");
    int ends[2] = { -1, -1 };
    *report = NULL;
    if (!mkdtemp(folder) || pipe2(ends, O_CLOEXEC)) {
        snprintf(note, IMPORT_TEXT, "libguestfs could not be started: %s", strerror(errno));
        return false;
    }
    pid_t child = fork();
    if (!child)
        child_run(ends[1], image, format, folder);
    close(ends[1]);
    if (child > 0)
        setpgid(child, child);
    char *text = child > 0 ? answer_read(ends[0], seconds, stop, arg, note) : NULL;
    if (child > 0) {
        kill(-child, SIGKILL);
        while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
            ;
    }
    close(ends[0]);
    folder_remove(folder);
    json_t *answer = text ? json_loads(text, 0, NULL) : NULL;
    const char *error = json_string_value(json_object_get(answer, "error"));
    if (text && (!answer || error))
        snprintf(note, IMPORT_TEXT, "libguestfs could not look inside the disk: %s", error ? error : "it ended without an answer");
    else if (!text && !*note)
        snprintf(note, IMPORT_TEXT, "libguestfs could not be started: no process");
    free(text);
    if (!answer || error) {
        json_decref(answer);
        return false;
    }
    answer_use(answer, f);
    json_object_del(answer, "facts");
    *report = answer;
    return true;
}

#else

bool inspect_guestfs(const char *image, const char *format, unsigned seconds, bool (*stop)(void *arg), void *arg,
                     struct facts *f, json_t **report, char note[IMPORT_TEXT])
{
    (void)image, (void)format, (void)seconds, (void)stop, (void)arg, (void)f;
    *report = NULL;
    snprintf(note, IMPORT_TEXT, "this build has no libguestfs; only what our own readers know was looked at");
    return false;
}

#endif
