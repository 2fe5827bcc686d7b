/* A BagIt bag [BAGIT] of a guest: its disks as they are now, the evidence and the profile, and PREMIS events [PREMIS] that tell what
 * was done: when and from what each disk was captured, and whether it is still what was captured. */
#include "importers/evidence/digest.h"
#include "importers/evidence/evidence.h"
#include "importers/systems/inspect.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct bag {
    const struct bag_options *o; char folder[PATH_MAX - 512], date[32]; json_t *manifest; FILE *list, *premis; uint64_t bytes, files;
};

/* Copies a file of the guest into the bag (from NULL: it is there already) and lists it. */
static bool add(struct bag *b, const char *from, const char *name, char hex[65], struct error *err)
{
    char to[PATH_MAX], own[65] = "";
    struct stat st;
    snprintf(to, sizeof(to), "%s/%s", b->folder, name);
    if (from) {
        int in = open(from, O_RDONLY | O_CLOEXEC | O_NOFOLLOW), out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
        ssize_t n = -1;
        while (in >= 0 && out >= 0 && (n = sendfile(out, in, NULL, 1 << 20)) > 0)
            ;
        bool ok = !n && !fsync(out);
        int error = errno;
        if (in >= 0)
            close(in);
        if (out >= 0)
            close(out);
        if (!ok)
            return error_set(err, error, "cannot copy %s into the bag: %s", from, strerror(error));
    }
    hex = hex ? hex : own;
    if (stat(to, &st) || !digest_file(to, hex, b->o->cancel, err))
        return error_set(err, errno, "cannot read %s again", to);
    b->bytes += (uint64_t)st.st_size;
    b->files++;
    return fprintf(b->list, "%s  %s\n", hex, name) > 0 || error_set(err, errno, "cannot write the bag's manifest: %s", strerror(errno));
}

/* Text as XML takes it: no control characters, no markup. */
static void xml_text(FILE *f, const char *text)
{
    for (; *text; text++) {
        const char *name = *text == '&' ? "&amp;" : *text == '<' ? "&lt;" : *text == '>' ? "&gt;" : NULL;
        if (name)
            fputs(name, f);
        else
            fputc((unsigned char)*text < ' ' || *text == 127 ? '?' : *text, f);
    }
}

static void event(struct bag *b, unsigned disk, const char *type, const char *date, const char *detail, const char *outcome, const char *note)
{
    static const char start[] = "  <event>\n    <eventIdentifier><eventIdentifierType>local</eventIdentifierType><eventIdentifierValue>";
    fprintf(b->premis, "%sdisk%u %s</eventIdentifierValue></eventIdentifier>\n    <eventType>%s</eventType>\n    <eventDateTime>%s"
            "</eventDateTime>\n    <eventDetailInformation><eventDetail>", start, disk, type, type, date);
    xml_text(b->premis, detail);
    fprintf(b->premis, "</eventDetail></eventDetailInformation>\n    <eventOutcomeInformation><eventOutcome>%s</eventOutcome>"
            "<eventOutcomeDetail><eventOutcomeDetailNote>%s</eventOutcomeDetailNote></eventOutcomeDetail></eventOutcomeInformation>\n"
            "    <linkingAgentIdentifier><linkingAgentIdentifierType>local</linkingAgentIdentifierType><linkingAgentIdentifierValue>holdover"
            "</linkingAgentIdentifierValue></linkingAgentIdentifier>\n    <linkingObjectIdentifier><linkingObjectIdentifierType>local"
            "</linkingObjectIdentifierType><linkingObjectIdentifierValue>disk%u</linkingObjectIdentifierValue></linkingObjectIdentifier>\n"
            "  </event>\n", outcome, note, disk);
}

static const char *value(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "not known";
}

/* The disk's object, which the schema wants before all events; those go to `events`. */
static void describe(struct bag *b, unsigned n, const char *name, const char *hex, FILE *events, bool same)
{
    json_t *disk = json_array_get(json_object_get(b->manifest, "disks"), n), *source = json_object_get(disk ? disk : b->manifest, "source");
    long long bad = json_integer_value(json_object_get(disk, "bad_bytes"));
    char path[PATH_MAX], detail[2048], note[160];
    struct stat st = { 0 };
    snprintf(path, sizeof(path), "%s/%s", b->folder, name);
    stat(path, &st);
    fprintf(b->premis, "  <object xsi:type=\"file\">\n    <objectIdentifier><objectIdentifierType>local</objectIdentifierType>"
            "<objectIdentifierValue>disk%u</objectIdentifierValue></objectIdentifier>\n    <objectCharacteristics>\n      <fixity>"
            "<messageDigestAlgorithm>SHA-256</messageDigestAlgorithm><messageDigest>%s</messageDigest></fixity>\n      <size>%lld</size>\n"
            "      <format><formatDesignation><formatName>%s disk image</formatName></formatDesignation></format>\n"
            "    </objectCharacteristics>\n    <originalName>%s</originalName>\n  </object>\n", n, hex, (long long)st.st_size,
            b->o->format, name);
    FILE *objects = b->premis;
    b->premis = events;
    snprintf(detail, sizeof(detail), "read from %s (%s, %s); SHA-256 of the disk's bytes %s, MD5 %s", value(source, "path"),
             value(source, "kind"), value(source, "format"), value(source, "sha256"), value(source, "md5"));
    snprintf(note, sizeof(note), bad ? "%lld bytes could not be read; the map of bad sectors names them" : "all bytes were read", bad);
    event(b, n, "capture", value(b->manifest, "imported"), detail, bad ? "warning" : "success", note);
    event(b, n, "fixity check", b->date, "the disk's bytes now against the SHA-256 of the capture", same ? "success" : "changed",
          same ? "the disk holds what was captured" : "the guest has written to the disk since the capture");
    snprintf(note, sizeof(note), "written as a %s image", b->o->format);
    event(b, n, "packing", b->date, "exported into a BagIt bag", "success", note);
    b->premis = objects;
}

static bool disks_add(struct bag *b, struct error *err)
{
    char *events = NULL, path[PATH_MAX], own[PATH_MAX], name[64], sha256[65] = "", hex[65] = "";
    size_t length = 0;
    FILE *f = open_memstream(&events, &length);
    bool ok = f || error_set(err, ENOMEM, "no memory for a bag");
    snprintf(own, sizeof(own), "%s/evidence/manifest.json", b->o->folder);
    for (unsigned n = 0; ok && n < b->o->count; n++) {
        struct manifest_disk m;
        snprintf(name, sizeof(name), "data/disk%u.%s", n, b->o->format);
        snprintf(path, sizeof(path), "%s/%s", b->folder, name);
        struct export_options o = { .image = b->o->images[n], .manifest = own, .to = path, .format = b->o->format, .disk = n,
                                    .progress = b->o->progress, .ui = b->o->ui, .cancel = b->o->cancel };
        ok = manifest_read(own, n, &m, err) && export_disk(&o, sha256, err) && add(b, NULL, name, hex, err);
        if (ok)
            describe(b, n, name, hex, f, !strcmp(sha256, m.sha256));
    }
    if (f)
        fclose(f);
    fprintf(b->premis, "%s  <agent>\n    <agentIdentifier><agentIdentifierType>local</agentIdentifierType><agentIdentifierValue>holdover"
            "</agentIdentifierValue></agentIdentifier>\n    <agentName>Holdover</agentName>\n    <agentType>software</agentType>\n"
            "    <agentVersion>%s</agentVersion>\n  </agent>\n</premis>\n", events ? events : "", b->o->tool_version);
    free(events);
    return ok;
}

static bool evidence_add(struct bag *b, struct error *err)
{
    char from[PATH_MAX], name[400];
    snprintf(from, sizeof(from), "%s/evidence", b->o->folder);
    DIR *dir = opendir(from);
    struct dirent *e;
    struct stat st;
    bool ok = true;
    while (ok && dir && (e = readdir(dir))) {
        snprintf(from, sizeof(from), "%s/evidence/%s", b->o->folder, e->d_name);
        snprintf(name, sizeof(name), "data/evidence/%s", e->d_name);
        if (e->d_name[0] != '.' && !strpbrk(e->d_name, "%\r\n") && !lstat(from, &st) && S_ISREG(st.st_mode))
            ok = add(b, from, name, NULL, err);
    }
    if (dir)
        closedir(dir);
    snprintf(from, sizeof(from), "%s/guest.profile", b->o->folder);
    return ok && (access(from, F_OK) || add(b, from, "data/guest.profile", NULL, err)) && add(b, NULL, "data/premis.xml", NULL, err);
}

static FILE *file_make(const struct bag *b, const char *name)
{
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s/%s", b->folder, name);
    return fopen(path, "wxe");
}

static bool file_end(FILE *f, struct error *err)
{
    bool ok = f && !fflush(f) && !ferror(f) && !fsync(fileno(f));
    return ((f ? !fclose(f) : 0) && ok) || error_set(err, errno, "cannot write the bag: %s", strerror(errno));
}

static bool bag_fill(struct bag *b, struct error *err)
{
    static const char *const tags[] = { "bagit.txt", "bag-info.txt", "manifest-sha256.txt" };
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s/evidence/manifest.json", b->o->folder);
    b->manifest = json_load_file(path, 0, NULL);
    b->list = file_make(b, tags[2]);
    b->premis = file_make(b, "data/premis.xml");
    if (!b->list || !b->premis)
        return error_set(err, errno, "cannot write the bag %s: %s", b->o->to, strerror(errno));
    fprintf(b->premis, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<premis xmlns=\"http://www.loc.gov/premis/v3\" "
            "xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" version=\"3.0\">\n");
    bool ok = disks_add(b, err), ended = file_end(b->premis, err);
    b->premis = NULL;
    ok = ok && ended && evidence_add(b, err);
    ended = file_end(b->list, err);
    b->list = NULL;
    FILE *bagit = ok && ended ? file_make(b, tags[0]) : NULL, *info = bagit ? file_make(b, tags[1]) : NULL;
    if (bagit)
        fprintf(bagit, "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n");
    if (info)
        fprintf(info, "Bag-Software-Agent: Holdover %s\nBagging-Date: %.10s\nExternal-Identifier: %s\nPayload-Oxum: %" PRIu64 ".%" PRIu64
                "\n", b->o->tool_version, b->date, b->o->name, b->bytes, b->files);
    ok = ok && ended && file_end(bagit, err) && file_end(info, err) && (b->list = file_make(b, "tagmanifest-sha256.txt"));
    for (size_t i = 0; ok && i < sizeof(tags) / sizeof(tags[0]); i++)
        ok = add(b, NULL, tags[i], NULL, err);
    ended = !b->list || file_end(b->list, err);
    b->list = NULL;
    return ok && ended;
}

bool export_bag(const struct bag_options *o, struct error *err)
{
    static const char *const folders[] = { "", "/data", "/data/evidence" };
    struct bag b = { .o = o };
    char path[PATH_MAX];
    time_t now = time(NULL);
    struct tm tm;
    strftime(b.date, sizeof(b.date), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &tm));
    if (!access(o->to, F_OK))
        return error_set(err, EEXIST, "%s exists already; remove it or choose another name", o->to);
    if (snprintf(b.folder, sizeof(b.folder), "%s.part", o->to) >= (int)sizeof(b.folder))
        return error_set(err, ENAMETOOLONG, "the name of the bag is too long");
    for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
        snprintf(path, sizeof(path), "%s%s", b.folder, folders[i]);
        if (mkdir(path, 0777))
            return error_set(err, errno, "cannot make the folder %s: %s", path, strerror(errno));
    }
    bool ok = bag_fill(&b, err);
    json_decref(b.manifest);
    if (ok && rename(b.folder, o->to))
        ok = error_set(err, errno, "cannot make %s: %s", o->to, strerror(errno));
    if (!ok)
        look_folder_remove(b.folder);
    return ok;
}
