/* Looking inside a disk. libguestfs starts a small Linux on the disk: a damaged disk can make it hang, so it runs in a child
 * with a time limit, in a process group of its own that is killed as a whole. The child says through a pipe what it is doing,
 * a line each, and at last its answer as JSON.
 *
 * There are hosts (clouds, nested) whose /dev/kvm opens and makes machines in which no Linux starts. So a look with KVM must
 * show life soon after its firmware, or it is made again without KVM. */
#include "importers/systems/inspect.h"
#include "importers/disk/volume.h"
#include "base/bits.h"
#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <fcntl.h>
#include <unistd.h>
#ifdef HAVE_GUESTFS
#include <guestfs.h>
#endif

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st, (void)kind, (void)at;
    remove(path);
    return 0;
}

/* A socket's path is short: a long folder is not taken. */
static const char *temporary_folder(void)
{
    const char *base = getenv("TMPDIR");
    return base && *base == '/' && strlen(base) < 40 ? base : "/tmp";
}

static const char look_name[] = "holdover-look-";

/* The lock of a look's folder: its owner keeps it while it lives. -1: another has it, or the folder is gone. */
static int look_lock(const char *folder)
{
    struct stat st;
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (fd >= 0 && (flock(fd, LOCK_EX | LOCK_NB) || fstat(fd, &st) || !st.st_nlink)) {
        close(fd);
        fd = -1;
    }
    return fd;
}

/* Processes that were killed may still be making files for a moment. */
void look_folder_remove(const char *folder)
{
    for (unsigned tries = 0; tries < 100 && !access(folder, F_OK); tries++) {
        if (tries)
            usleep(20000);
        nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    }
}

void import_sweep(void)
{
    const char *base = temporary_folder();
    DIR *dir = opendir(base);
    struct dirent *e;
    while (dir && (e = readdir(dir))) {
        char path[PATH_MAX];
        struct stat st;
        snprintf(path, sizeof(path), "%s/%s", base, e->d_name);
        if (strncmp(e->d_name, look_name, strlen(look_name)) || lstat(path, &st) || !S_ISDIR(st.st_mode) || st.st_uid != getuid())
            continue;
        int fd = look_lock(path);
        if (fd < 0)
            continue;
        look_folder_remove(path);
        close(fd);
    }
    if (dir)
        closedir(dir);
}

/* A folder of our own under a lock. One that a sweep took between its making and its lock is made again. */
int look_folder(char *folder, size_t size)
{
    for (unsigned tries = 0; tries < 100; tries++) {
        snprintf(folder, size, "%s/%sXXXXXX", temporary_folder(), look_name);
        if (!mkdtemp(folder))
            return -1;
        int lock = look_lock(folder);
        if (lock >= 0)
            return lock;
    }
    errno = EBUSY;
    return -1;
}

#ifdef HAVE_GUESTFS

enum { APPLICATIONS_MOST = 3000, ANSWER_MOST = 4 << 20, SILENCE_SECONDS = 6, PREAD_MOST = 1 << 20 };
static const char saw_firmware[] = "libguestfs: firmware", saw_kernel[] = "libguestfs: its Linux starts";

struct child { const struct inspect_image *images; unsigned count; const char *folder; int out; bool kvm, known; char tail[64]; };  /* known: our readers saw a system */

static void tell(const struct child *c, const char *line)
{
    if (dprintf(c->out, "%s\n", line) < 0)
        _exit(1);                               /* nobody waits any more */
}

static void strings_free(char **list)
{
    for (size_t i = 0; list && list[i]; i++)
        free(list[i]);
    free(list);
}

/* Something that libguestfs knows of a system: for its answer, and a fact where there is none. */
static void taken(json_t *s, struct facts *f, const char *key, const char *fact, char *value)
{
    if (value && *value && strcmp(value, "unknown")) {
        json_object_set_new(s, key, json_string(value));
        if (!facts_get(f, fact))
            facts_add(f, fact, "%s", value);
    }
    free(value);
}

static bool guestfs_tree_part(void *at, const char *path, uint64_t offset, void *to, size_t *length)
{
    size_t got = 0;
    bool file = guestfs_is_file_opts(at, path, GUESTFS_IS_FILE_OPTS_FOLLOWSYMLINKS, 1, -1) == 1;
    char *bytes = file ? guestfs_pread(at, path, (int)MIN(*length, PREAD_MOST), (int64_t)offset, &got) : NULL;
    memcpy(to, bytes ? bytes : "", got);
    free(bytes);
    *length = got;
    return bytes;
}

static bool guestfs_tree_list(void *at, const char *path, tree_each *each, void *arg)
{
    struct guestfs_dirent_list *names = guestfs_is_dir(at, path) == 1 ? guestfs_readdir(at, path) : NULL;
    for (uint32_t i = 0; names && i < names->len; i++)
        if (strcmp(names->val[i].name, ".") && strcmp(names->val[i].name, ".."))
            each(arg, &(struct tree_entry){ .name = names->val[i].name, .folder = names->val[i].ftyp == 'd' });
    guestfs_free_dirent_list(names);
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

static void applications(guestfs_h *g, const char *root, struct facts *f, json_t *list)
{
    struct guestfs_application2_list *apps = guestfs_inspect_list_applications2(g, root);
    for (uint32_t i = 0; apps && i < apps->len && i < APPLICATIONS_MOST; i++) {
        const struct guestfs_application2 *a = &apps->val[i];
        const char *name = *a->app2_display_name ? a->app2_display_name : a->app2_name;
        json_t *text = json_sprintf("%s%s%s", name, *a->app2_version ? " " : "", a->app2_version);
        if (text) {                             /* not UTF-8: left out */
            facts_add(f, "application", "%s", json_string_value(text));
            json_array_append_new(list, text);
        }
    }
    guestfs_free_application2_list(apps);
}

static json_t *system_look(guestfs_h *g, const char *root, bool known, struct facts *f)
{
    json_t *s = json_object(), *mounts = json_object(), *apps = json_array();
    struct tree t = { .at = g, .read_part = guestfs_tree_part, .list = guestfs_tree_list };
    int major = guestfs_inspect_get_major_version(g, root), minor = guestfs_inspect_get_minor_version(g, root);
    char **points = guestfs_inspect_get_mountpoints(g, root);
    mount_all(g, points, mounts);
    strings_free(points);
    if (!known)
        inspect_tree(&t, f);
    json_object_set_new(s, "root", json_string(root));
    taken(s, f, "type", "os.type", guestfs_inspect_get_type(g, root));
    taken(s, f, "distro", "os.distro", guestfs_inspect_get_distro(g, root));
    taken(s, f, "product", "os.product", guestfs_inspect_get_product_name(g, root));
    taken(s, f, "arch", "os.arch", guestfs_inspect_get_arch(g, root));
    taken(s, f, "hostname", "hostname", guestfs_inspect_get_hostname(g, root));
    json_object_set_new(s, "major", json_integer(major));
    json_object_set_new(s, "minor", json_integer(minor));
    if (major && !facts_get(f, "os.version"))
        facts_add(f, "os.version", "%d.%d", major, minor);
    applications(g, root, f, apps);
    json_object_set_new(s, "mountpoints", mounts);
    json_object_set_new(s, "application_count", json_integer((json_int_t)json_array_size(apps)));
    json_object_set_new(s, "applications", apps);
    guestfs_umount_all(g);
    return s;
}

/* What the appliance's console says comes in pieces of any size: the end of the last one is kept. */
static void heard(guestfs_h *g, void *arg, uint64_t event, int handle, int flags, const char *bytes, size_t length,
                  const uint64_t *array, size_t array_length)
{
    static const struct { const char *words, *line; } signs[] = { { "SeaBIOS (", saw_firmware }, { "Linux version ", saw_kernel } };
    struct child *c = arg;
    size_t kept = strlen(c->tail);
    char *text = malloc(kept + length + 1);
    (void)g, (void)event, (void)handle, (void)flags, (void)array, (void)array_length;
    if (!text)
        return;
    memcpy(text, c->tail, kept);
    for (size_t i = 0; i < length; i++)
        text[kept + i] = bytes[i] ? bytes[i] : ' ';
    text[kept + length] = 0;
    for (size_t i = 0; i < ARRAY_SIZE(signs); i++) {
        char *at = strstr(text, signs[i].words);
        if (at) {
            tell(c, signs[i].line);
            *at = '!';                          /* seen once */
        }
    }
    snprintf(c->tail, sizeof(c->tail), "%s", text + MAX(kept + length, sizeof(c->tail) - 1) - (sizeof(c->tail) - 1));
    free(text);
}

/* The child's work: everything that libguestfs finds, as one object. */
static json_t *child_look(struct child *c)
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
    guestfs_set_tmpdir(g, c->folder);
    setenv("TMPDIR", c->folder, 1);             /* for supermin; where the appliance is kept was settled by guestfs_create */
    if (c->kvm) {                               /* a verbose kernel speaks from its first moment */
        guestfs_set_event_callback(g, heard, GUESTFS_EVENT_APPLIANCE, 0, c);
        guestfs_set_verbose(g, 1);
    }
    tell(c, "libguestfs: starting");
    int failed = 0;
    for (unsigned i = 0; i < c->count && !failed; i++)
        failed = guestfs_add_drive_opts(g, c->images[i].path, GUESTFS_ADD_DRIVE_OPTS_READONLY, 1, GUESTFS_ADD_DRIVE_OPTS_FORMAT,
                                        c->images[i].format, -1);
    if (failed || guestfs_launch(g)) {
        const char *text = guestfs_last_error(g);
        json_object_set_new(answer, "error", json_sprintf("%.*s", text ? (int)strcspn(text, "\n") : 7, text ? text : "unknown"));
        return answer;
    }
    guestfs_set_verbose(g, 0);
    tell(c, "libguestfs: looking for systems");
    char **roots = guestfs_inspect_os(g);
    for (size_t i = 0; roots && roots[i]; i++) {
        tell(c, "libguestfs: reading versions and applications");
        json_array_append_new(systems, system_look(g, roots[i], c->known, &f));
    }
    strings_free(roots);
    json_object_set_new(answer, "facts", facts_json(&f));
    guestfs_shutdown(g);
    guestfs_close(g);
    facts_free(&f);
    return answer;
}

_Noreturn static void child_run(struct child *c, pid_t parent)
{
    int null = open("/dev/null", O_RDWR);
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
    for (int fd = 0; fd < 3; fd++)
        dup2(null, fd);
    c->out = dup2(c->out, 3);                   /* and nothing else stays open: the guest's lock is the parent's alone */
    fcntl(c->out, F_SETFD, FD_CLOEXEC);
    close_range(4, ~0U, 0);
    for (int s = 1; s < NSIG; s++)
        signal(s, SIG_DFL);
    signal(SIGPIPE, SIG_IGN);
    setenv("LIBGUESTFS_BACKEND", "direct", 0);
    if (!c->kvm)
        setenv("LIBGUESTFS_BACKEND_SETTINGS", "force_tcg", 0);
    setenv("XDG_RUNTIME_DIR", c->folder, 1);    /* sockets too go where the parent cleans up */
    json_t *answer = child_look(c);
    _exit(json_dumpfd(answer, c->out, JSON_COMPACT) ? 1 : 0);
}

static double seconds_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* The parent's side of one look. */
struct look {
    struct child child;
    unsigned seconds; double begun, silent_since;       /* the limit is for both attempts together */
    bool kvm_dead;
    inspect_waiting *waiting; void *arg;
    char doing[64], *text; size_t length;       /* what came through the pipe: lines, then the answer */
};

/* Takes the lines off the front of what came. */
static void lines_take(struct look *l)
{
    char *end;
    while (*l->text != '{' && (end = memchr(l->text, '\n', l->length))) {
        *end = 0;
        if (!strcmp(l->text, saw_firmware))
            l->silent_since = seconds_now();
        else
            snprintf(l->doing, sizeof(l->doing), "%s", l->text);
        if (!strcmp(l->text, saw_kernel))
            l->silent_since = 0;
        l->length -= (size_t)(end + 1 - l->text);
        memmove(l->text, end + 1, l->length + 1);
    }
}

/* Collects the child's answer; false with a note when it took too long or was told to stop, without one when KVM is dead. */
static bool answer_read(struct look *l, int in, char note[IMPORT_TEXT])
{
    for (;;) {
        struct pollfd p = { .fd = in, .events = POLLIN };
        double now = seconds_now();
        l->kvm_dead = l->silent_since > 0 && now > l->silent_since + SILENCE_SECONDS;
        if (l->kvm_dead)
            return false;
        if (l->waiting(l->arg, l->doing, now - l->begun, l->seconds) || now > l->begun + l->seconds) {
            snprintf(note, IMPORT_TEXT, "libguestfs was stopped after %.0f seconds; the disk is imported without its inspection",
                     now - l->begun);
            return false;
        }
        if (poll(&p, 1, 250) <= 0)
            continue;
        ssize_t n = read(in, l->text + l->length, ANSWER_MOST - l->length);
        if (n <= 0)
            return true;
        l->length += (size_t)n;
        l->text[l->length] = 0;
        lines_take(l);
    }
}

/* One process, its answer, its end. False: none, see note. */
static bool look_once(struct look *l, bool kvm, char note[IMPORT_TEXT])
{
    int ends[2];
    pid_t parent = getpid();
    if (pipe2(ends, O_CLOEXEC)) {
        snprintf(note, IMPORT_TEXT, "libguestfs could not be started: %s", strerror(errno));
        return false;
    }
    l->child.kvm = kvm;
    l->child.out = ends[1];
    l->length = 0;
    l->silent_since = 0;
    pid_t child = fork();
    if (!child)
        child_run(&l->child, parent);
    close(ends[1]);
    bool ok = false;
    if (child > 0) {
        setpgid(child, child);
        ok = answer_read(l, ends[0], note);
        kill(-child, SIGKILL);
        while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
            ;
    } else {
        snprintf(note, IMPORT_TEXT, "libguestfs could not be started: no process");
    }
    close(ends[0]);
    return ok;
}

/* What our own readers found stays; libguestfs adds what they could not know. Of a system that they did not see, all is its. */
static void answer_use(const json_t *answer, struct facts *f)
{
    struct facts theirs = { 0 };
    size_t known = f->count;
    facts_merge(&theirs, json_object_get(answer, "facts"));
    for (size_t i = 0; i < theirs.count; i++) {
        const struct fact *fact = &theirs.list[i];
        bool ours = false;
        for (size_t k = 0; k < known; k++)
            ours |= !strcmp(f->list[k].key, fact->key);
        if (!ours || !strcmp(fact->key, "year"))
            facts_add(f, fact->key, "%s", fact->value);
    }
    facts_free(&theirs);
    year_keep_newest(f);
}

/* The answer as JSON; NULL with a note. */
static json_t *answer_parse(const struct look *l, char note[IMPORT_TEXT])
{
    json_t *answer = json_loads(l->text, 0, NULL);
    const char *error = json_string_value(json_object_get(answer, "error"));
    if (answer && !error)
        return answer;
    snprintf(note, IMPORT_TEXT, "libguestfs could not look inside the disk: %s", error ? error : "it ended without an answer");
    json_decref(answer);
    return NULL;
}

/* KVM is tried unless the user's own settings speak. */
static bool kvm_promising(void)
{
    const char *backend = getenv("LIBGUESTFS_BACKEND");
    return !access("/dev/kvm", R_OK | W_OK) && !getenv("LIBGUESTFS_BACKEND_SETTINGS") && (!backend || !strcmp(backend, "direct"));
}

bool inspect_guestfs(const struct inspect_image *images, unsigned count, unsigned seconds, inspect_waiting *waiting, void *arg,
                     struct facts *f, json_t **report, char note[IMPORT_TEXT])
{
    char folder[80];
    import_sweep();
    int lock = look_folder(folder, sizeof(folder));
    struct look l = { .child = { .images = images, .count = count, .folder = folder, .known = facts_get(f, "os.type") },
                      .seconds = seconds, .begun = seconds_now(), .waiting = waiting, .arg = arg, .text = calloc(1, ANSWER_MOST + 1) };
    *report = NULL;
    *note = 0;
    if (!l.text || lock < 0) {
        snprintf(note, IMPORT_TEXT, "libguestfs could not be started: %s", strerror(errno));
        close(lock);
        free(l.text);
        return false;
    }
    json_t *answer = NULL;
    bool kvm = kvm_promising();
    bool came = look_once(&l, kvm, note);
    if (came)
        answer = answer_parse(&l, note);
    if (kvm && !answer && (came || l.kvm_dead)) {       /* it could not, or did not, start: once more without KVM */
        *note = 0;
        if (look_once(&l, false, note))
            answer = answer_parse(&l, note);
    }
    look_folder_remove(folder);
    close(lock);
    free(l.text);
    if (!answer)
        return false;
    answer_use(answer, f);
    json_object_del(answer, "facts");
    *report = answer;
    return true;
}

#else

bool inspect_guestfs(const struct inspect_image *images, unsigned count, unsigned seconds, inspect_waiting *waiting, void *arg,
                     struct facts *f, json_t **report, char note[IMPORT_TEXT])
{
    (void)images, (void)count, (void)seconds, (void)waiting, (void)arg, (void)f;
    *report = NULL;
    snprintf(note, IMPORT_TEXT, "this build has no libguestfs; only what our own readers know was looked at");
    return false;
}

#endif
