/* A printer at a parallel port whose paper is a folder: each job becomes FOLDER/printN-DATE-TIME.pdf.
 *
 * Bytes are spooled into a file without a name. A job ends with what its language says (PJL's UEL, PostScript's Ctrl-D), at
 * an ESC @ behind a form feed, or when nothing came for a while: shortly after a form feed, else somewhat longer (in guest time).
 * A thread of its own makes the PDF: text and ESC/P by us, PostScript by Ghostscript and PCL by GhostPCL, in a child process with
 * limits. A job that cannot be made is kept as it came, beside the others.
 *
 * Bounds: JOBS a run, JOB_MAX bytes each, QUEUE of them waiting: then the printer is busy, or out of paper. */
#include "console/ports.h"
#include "console/print.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { QUEUE = 8, JOBS = 2000, JOB_MAX = 64 << 20, CHILD_SECONDS = 120, LATE_SECONDS = 5, POLL_US = 20000 };
#define SHORT_NS (2 * NS_PER_S)
#define LONG_NS (10 * NS_PER_S)

struct printer {
    struct parallel_end end;
    struct machine *machine;
    unsigned number, jobs;
    char *folder;
    FILE *spool;                                /* the job under way; NULL: none */
    size_t size;
    struct print_ends ends;
    struct timer idle;
    bool stalled;
    pthread_t worker;
    pthread_mutex_t lock;                       /* guards what follows */
    pthread_cond_t wake;
    FILE *queue[QUEUE];
    unsigned first, count;
    atomic_bool quit;
};

/* --- where a job ends, and what it is -------------------------------------------------------------------------------- */

enum print_end print_ends(struct print_ends *e, uint8_t byte)
{
    static const char uel[] = "\033%-12345X";
    uint8_t before = e->last[8];
    bool escaped = before == 27;
    memmove(e->last, e->last + 1, 8);
    e->last[8] = byte;
    if (byte == '!' && before == '%' && (!e->last[6] || e->last[6] == '\n' || e->last[6] == '\r' || e->last[6] == 4))
        e->postscript = true;
    if (byte == 'X' && !memcmp(e->last, uel, 9))
        return e->begun ? PRINT_ENDS : PRINT_GOES_ON;
    if (byte == 4 && e->postscript)
        return PRINT_ENDS;
    if (byte == '@' && escaped && !e->postscript && e->formed)
        return PRINT_BEGINS;
    if (byte == 12)
        e->formed = true;
    else if (byte > ' ' && !escaped)
        e->formed = false;
    e->begun |= e->last[0];           /* more than the nine bytes that may open it */
    return PRINT_GOES_ON;
}

static const uint8_t *find(const uint8_t *bytes, size_t length, const char *text)
{
    return memmem(bytes, length, text, strlen(text));
}

/* PCL's commands have a parameter character, a group and a number: ESC & l 0 O. ESC/P's ESC * and ESC & have a binary one. */
enum print_language print_detect(const uint8_t *bytes, size_t length)
{
    size_t n = MIN(length, (size_t)8192), pcl = 0;
    const uint8_t *ps = find(bytes, n, "%!");
    if (find(bytes, n, "\033@") && !ps)
        return PRINT_TEXT;
    if (ps && (ps == bytes || ps[-1] == '\n' || ps[-1] == '\r' || ps[-1] == 4))
        return PRINT_POSTSCRIPT;
    if (find(bytes, n, "LANGUAGE=PCL") || find(bytes, n, "LANGUAGE = PCL"))
        return PRINT_PCL;
    for (size_t i = 0; i + 3 < n; i++)
        if (bytes[i] == 27 && bytes[i + 1] && strchr("&*()", bytes[i + 1]) &&
            ((bytes[i + 2] >= 'a' && bytes[i + 2] <= 'z' && bytes[i + 3] && strchr("+-0123456789", bytes[i + 3])) ||
             (strchr("()", bytes[i + 1]) && bytes[i + 2] >= '0' && bytes[i + 2] <= '9')))
            pcl++;
    return pcl > 1 || (pcl && length > 1 && bytes[0] == 27 && bytes[1] == 'E') ? PRINT_PCL : PRINT_TEXT;
}

/* --- the worker ------------------------------------------------------------------------------------------------------ */

static void tell(struct printer *p, const char *fmt, const char *path, const char *rest)
{
    const struct host *h = p->machine->host;
    char text[4352];
    snprintf(text, sizeof(text), fmt, path, rest);
    if (h->notice)
        h->notice(h->ui, text);
}

/* A file that was not there, named by number, date and time. */
static FILE *new_file(struct printer *p, const char *extension, char *path, size_t size)
{
    time_t now = time(NULL);
    struct tm tm;
    char stamp[32];
    strftime(stamp, sizeof(stamp), "%Y%m%d-%H%M%S", localtime_r(&now, &tm));
    for (unsigned n = 1; n <= JOBS; n++) {
        char again[16] = "";
        if (n > 1)
            snprintf(again, sizeof(again), "-%u", n);
        snprintf(path, size, "%s/print%u-%s%s.%s", p->folder, p->number + 1, stamp, again, extension);
        FILE *f = fopen(path, "wbxe");
        if (f || errno != EEXIST)
            return f;
    }
    return NULL;
}

/* What makes a PDF of a language, standard input to standard output, and what to say when it is not installed. */
static const struct { const char *extension, *missing, *argv[10]; } makers[] = {
    [PRINT_TEXT] = { "prn", "", { NULL } },
    [PRINT_POSTSCRIPT] = { "ps", "PostScript needs Ghostscript (the package ghostscript), which is not installed",
                           { "gs", "-q", "-dSAFER", "-dBATCH", "-dNOPAUSE", "-sDEVICE=pdfwrite", "-sstdout=%stderr",
                             "-sOutputFile=%stdout", "-", NULL } },
    [PRINT_PCL] = { "pcl", "PCL needs GhostPCL (gpcl6), which is not installed",
                    { "gpcl6", "-dSAFER", "-dBATCH", "-dNOPAUSE", "-sDEVICE=pdfwrite", "-sOutputFile=%stdout", "-", NULL } }
};

/* Runs a maker: its exit code, 127 when it is not installed, -1 when it was stopped. Once the machine has ended it must hurry. */
static int convert(struct printer *p, const char *const argv[], int in, int out)
{
    static const struct { __rlimit_resource_t what; rlim_t most; } limits[] = {
        { RLIMIT_CPU, CHILD_SECONDS }, { RLIMIT_AS, 2ull << 30 }, { RLIMIT_FSIZE, 1ull << 30 }, { RLIMIT_CORE, 0 }
    };
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        int none = open("/dev/null", O_WRONLY);
        sigset_t no;
        sigemptyset(&no);
        sigprocmask(SIG_SETMASK, &no, NULL);
        for (size_t i = 0; i < ARRAY_SIZE(limits); i++)
            setrlimit(limits[i].what, &(struct rlimit){ limits[i].most, limits[i].most });
        if (dup2(in, 0) >= 0 && dup2(out, 1) >= 0 && dup2(none, 2) >= 0)
            execvp(argv[0], (char *const *)argv);
        _exit(127);
    }
    for (unsigned n = 0, late = 0; child > 0; n++, late += atomic_load(&p->quit)) {
        if (waitpid(child, &status, WNOHANG) == child)
            return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
        if (n == CHILD_SECONDS * (1000000 / POLL_US) || late == LATE_SECONDS * (1000000 / POLL_US))
            kill(child, SIGKILL);
        usleep(POLL_US);
    }
    return -1;
}

static bool make_pdf(struct printer *p, enum print_language language, const uint8_t *bytes, size_t length, FILE *spool, const char **why)
{
    const uint8_t *from = language == PRINT_POSTSCRIPT ? find(bytes, length, "%!") : bytes;
    char path[4096];
    FILE *out = new_file(p, "pdf", path, sizeof(path));
    struct stat st;
    *why = "the folder cannot be written";
    if (!out)
        return false;
    bool ok = language == PRINT_TEXT && print_escp(bytes, length, out);
    if (language != PRINT_TEXT) {
        lseek(fileno(spool), from ? from - bytes : 0, SEEK_SET);
        int code = convert(p, makers[language].argv, fileno(spool), fileno(out));
        ok = code == 0 && !fstat(fileno(out), &st) && st.st_size;
        *why = code == 127 ? makers[language].missing : "its converter failed";
    }
    ok &= !fclose(out);
    if (ok)
        tell(p, "printed %s%s", path, "");
    else
        unlink(path);
    return ok;
}

static void do_job(struct printer *p, FILE *spool)
{
    long end = ftell(spool);
    size_t length = end > 0 ? (size_t)end : 0;
    uint8_t *bytes = malloc(length + 1);
    char path[4096];
    const char *why;
    if (!bytes)
        abort();
    rewind(spool);
    length = fread(bytes, 1, length, spool);
    enum print_language language = print_detect(bytes, length);
    if (length && !make_pdf(p, language, bytes, length, spool, &why)) {
        FILE *raw = new_file(p, makers[language].extension, path, sizeof(path));
        bool kept = raw && fwrite(bytes, 1, length, raw) == length;
        kept = raw && !fclose(raw) && kept;
        if (kept)
            tell(p, "the job was kept as %s: %s", path, why);
        else
            tell(p, "a job for the printer was lost: %s%s", p->folder, " cannot be written");
    }
    free(bytes);
    fclose(spool);
}

static void has_room(void *arg)
{
    struct printer *p = arg;
    if (!p->stalled)
        return;
    p->stalled = false;
    p->end.drained(p->end.chip);
}

static void *worker(void *arg)
{
    struct printer *p = arg;
    pthread_mutex_lock(&p->lock);
    while (!p->quit || p->count) {
        if (!p->count) {
            pthread_cond_wait(&p->wake, &p->lock);
            continue;
        }
        FILE *spool = p->queue[p->first];
        pthread_mutex_unlock(&p->lock);
        do_job(p, spool);
        pthread_mutex_lock(&p->lock);
        p->first = (p->first + 1) % QUEUE;
        p->count--;
        if (!p->quit)
            machine_post(p->machine, has_room, p);
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

/* --- the machine's side ---------------------------------------------------------------------------------------------- */

static void end_job(void *arg)
{
    struct printer *p = arg;
    timer_stop(&p->machine->clock, &p->idle);
    if (!p->spool)
        return;
    fflush(p->spool);
    pthread_mutex_lock(&p->lock);
    p->queue[(p->first + p->count++) % QUEUE] = p->spool;       /* there is room: see begin_job */
    pthread_cond_signal(&p->wake);
    pthread_mutex_unlock(&p->lock);
    p->spool = NULL;
}

static bool begin_job(struct printer *p)
{
    int fd;
    pthread_mutex_lock(&p->lock);
    bool room = p->count < QUEUE;
    pthread_mutex_unlock(&p->lock);
    if (!room || p->jobs >= JOBS)
        return false;
    fd = open(p->folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    p->spool = fd >= 0 ? fdopen(fd, "w+b") : tmpfile();
    p->size = 0;
    p->ends = (struct print_ends){ 0 };
    p->jobs += p->spool ? 1 : 0;
    return p->spool;
}

static bool take(struct printer *p, uint8_t byte)
{
    enum print_end end;
    if (!p->spool && (byte == 4 || byte == 0))  /* the end of a job that has ended, or padding */
        return true;
    if (!p->spool && !begin_job(p))
        return false;
    end = print_ends(&p->ends, byte);
    if (end == PRINT_BEGINS) {
        end_job(p);
        if (!begin_job(p))                      /* the chip offers the byte again; ESC is not needed without it */
            return false;
        print_ends(&p->ends, 27);
        print_ends(&p->ends, byte);
        fputc(27, p->spool);
    }
    fputc(byte, p->spool);
    if (++p->size >= JOB_MAX || end == PRINT_ENDS)
        end_job(p);
    return true;
}

static size_t printer_write(void *backend, const uint8_t *bytes, size_t length)
{
    struct printer *p = backend;
    struct clock *clock = &p->machine->clock;
    size_t n = 0;
    while (n < length && take(p, bytes[n]))
        n++;
    p->stalled = n < length;
    if (p->spool)
        timer_at(clock, &p->idle, clock_now(clock) + (p->ends.formed ? SHORT_NS : LONG_NS));
    return n;
}

static uint8_t printer_status(void *backend)
{
    struct printer *p = backend;
    return p->jobs < JOBS || p->spool ? PARALLEL_IDLE : (PARALLEL_IDLE & ~PARALLEL_ERROR) | PARALLEL_PAPER_END;
}

static void printer_close(void *backend)
{
    struct printer *p = backend;
    end_job(p);
    pthread_mutex_lock(&p->lock);
    p->quit = true;
    pthread_cond_signal(&p->wake);
    pthread_mutex_unlock(&p->lock);
    pthread_join(p->worker, NULL);
    pthread_mutex_destroy(&p->lock);
    pthread_cond_destroy(&p->wake);
    free(p->folder);
    free(p);
}

struct parallel_end *printer_open(struct machine *m, unsigned number, const char *folder, struct error *err)
{
    struct printer *p = calloc(1, sizeof(*p));
    struct stat st;
    if (!p || !(p->folder = strdup(folder)))
        abort();
    if ((mkdir(folder, 0777) && errno != EEXIST) || stat(folder, &st) || !S_ISDIR(st.st_mode) || access(folder, W_OK)) {
        error_set(err, errno ? errno : ENOTDIR, "parallel%u: %s is no folder that PDF files can be written to", number + 1, folder);
        free(p->folder);
        free(p);
        return NULL;
    }
    for (size_t n = strlen(folder); n > 1 && p->folder[n - 1] == '/'; n--)
        p->folder[n - 1] = 0;
    p->end = (struct parallel_end){ .backend = p, .write = printer_write, .status = printer_status, .close = printer_close };
    p->machine = m;
    p->number = number;
    timer_init(&p->idle, end_job, p);
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->wake, NULL);
    if (pthread_create(&p->worker, NULL, worker, p))
        abort();
    return &p->end;
}
