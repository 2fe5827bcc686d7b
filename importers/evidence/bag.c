/* A BagIt bag [BAGIT] of a guest: its disks as they are now, the evidence and the profile, and PREMIS events [PREMIS] that tell what
 * was done: when and from what each disk was captured, and whether it is still what was captured. */
#include "importers/evidence/digest.h"
#include "importers/evidence/evidence.h"
#include "importers/systems/inspect.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct text { FILE *f; char *bytes; size_t length; };
struct bag {
    const struct bag_options *o; char folder[PATH_MAX - 512], date[32]; json_t *manifest;
    struct text list, objects, events; uint64_t bytes, files;   /* list: of the manifest that is being made */
};

static bool text_put(struct bag *b, const char *name, const char *text, struct error *err)
{
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s/%s", b->folder, name);
    return text_write(path, text, err);
}

/* Copies a file of the guest into the bag (from NULL: it is there already) and lists it. */
static bool add(struct bag *b, const char *from, const char *name, char hex[65], struct error *err)
{
    char to[PATH_MAX], own[65] = "";
    struct stat st = { 0 };
    snprintf(to, sizeof(to), "%s/%s", b->folder, name);
    if (from) {
        int in = open(from, O_RDONLY | O_CLOEXEC | O_NOFOLLOW), out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
        ssize_t n = -1;
        while (in >= 0 && out >= 0 && (n = sendfile(out, in, NULL, 1 << 20)) > 0)
            ;
        int error = n || fsync(out) ? errno : 0;
        if (in >= 0)
            close(in);
        if (out >= 0)
            close(out);
        if (error)
            return error_set(err, error, "cannot copy %s into the bag: %s", from, strerror(error));
    }
    hex = hex ? hex : own;
    if (!digest_file(to, hex, b->o->cancel, err))
        return false;
    stat(to, &st);
    b->bytes += (uint64_t)st.st_size;
    b->files++;
    fprintf(b->list.f, "%s  %s\n", hex, name);
    return true;
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

static void identifier(FILE *f, const char *kind, const char *name, unsigned disk)
{
    fprintf(f, "    <%sIdentifier><%sIdentifierType>local</%sIdentifierType><%sIdentifierValue>", kind, kind, kind, kind);
    fprintf(f, name, disk);
    fprintf(f, "</%sIdentifierValue></%sIdentifier>\n", kind, kind);
}

static void event(struct bag *b, unsigned disk, const char *type, const char *date, const char *detail, const char *outcome, const char *note)
{
    char name[64];
    FILE *f = b->events.f;
    snprintf(name, sizeof(name), "disk%%u %s", type);
    fprintf(f, "  <event>\n");
    identifier(f, "event", name, disk);
    fprintf(f, "    <eventType>%s</eventType>\n    <eventDateTime>%s</eventDateTime>\n    <eventDetailInformation><eventDetail>", type, date);
    xml_text(f, detail);
    fprintf(f, "</eventDetail></eventDetailInformation>\n    <eventOutcomeInformation><eventOutcome>%s</eventOutcome><eventOutcomeDetail>"
            "<eventOutcomeDetailNote>%s</eventOutcomeDetailNote></eventOutcomeDetail></eventOutcomeInformation>\n", outcome, note);
    identifier(f, "linkingAgent", "holdover", 0);
    identifier(f, "linkingObject", "disk%u", disk);
    fprintf(f, "  </event>\n");
}

static const char *value(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "not known";
}

static void describe(struct bag *b, unsigned n, const char *name, uint64_t size, const char *hex, bool same)
{
    json_t *disk = json_array_get(json_object_get(b->manifest, "disks"), n), *source = json_object_get(disk ? disk : b->manifest, "source");
    long long bad = json_integer_value(json_object_get(disk, "bad_bytes"));
    char detail[2048], note[160];
    fprintf(b->objects.f, "  <object xsi:type=\"file\">\n");
    identifier(b->objects.f, "object", "disk%u", n);
    fprintf(b->objects.f, "    <objectCharacteristics>\n      <fixity><messageDigestAlgorithm>SHA-256</messageDigestAlgorithm><messageDigest>"
            "%s</messageDigest></fixity>\n      <size>%" PRIu64 "</size>\n      <format><formatDesignation><formatName>%s disk image"
            "</formatName></formatDesignation></format>\n    </objectCharacteristics>\n    <originalName>%s</originalName>\n  </object>\n",
            hex, size, b->o->format, name);
    snprintf(detail, sizeof(detail), "read from %s (%s, %s); SHA-256 of the disk's bytes %s, MD5 %s", value(source, "path"),
             value(source, "kind"), value(source, "format"), value(source, "sha256"), value(source, "md5"));
    snprintf(note, sizeof(note), bad ? "%lld bytes could not be read; the map of bad sectors names them" : "all bytes were read", bad);
    event(b, n, "capture", value(b->manifest, "imported"), detail, bad ? "warning" : "success", note);
    event(b, n, "fixity check", b->date, "the disk's bytes now against the SHA-256 of the capture", same ? "success" : "changed",
          same ? "the disk holds what was captured" : "the guest has written to the disk since the capture");
    event(b, n, "packing", b->date, "exported into a BagIt bag", "success", b->o->format);
}

static bool disks_add(struct bag *b, struct error *err)
{
    char path[PATH_MAX], own[PATH_MAX], name[80], sha256[65] = "", hex[65] = "";
    snprintf(own, sizeof(own), "%s/evidence/manifest.json", b->o->folder);
    for (unsigned n = 0; n < b->o->count; n++) {
        struct manifest_disk m = { 0 };
        uint64_t before = b->bytes;
        snprintf(name, sizeof(name), "data/disk%u.%s", n, b->o->format);
        snprintf(path, sizeof(path), "%s/%s", b->folder, name);
        struct export_options o = { .image = b->o->images[n], .manifest = own, .to = path, .format = b->o->format, .disk = n,
                                    .progress = b->o->progress, .ui = b->o->ui, .cancel = b->o->cancel };
        if (!manifest_read(own, n, &m, err) && err->code == ENOENT)
            continue;                           /* not imported: an empty disk beside a CD */
        if (!*m.sha256 || !export_disk(&o, sha256, err) || !add(b, NULL, name, hex, err))
            return false;
        describe(b, n, name, b->bytes - before, hex, !strcmp(sha256, m.sha256));
    }
    bool ok = true;
    for (unsigned n = 0; ok && manifest_medium(own, n, name + 5, sha256, err); n++) {
        snprintf(path, sizeof(path), "%s/%s", b->o->folder, name + 5);
        memcpy(name, "data/", 5);
        ok = add(b, path, name, NULL, err);
    }
    if (!ok)
        return false;
    fprintf(b->events.f, "  <agent>\n");
    identifier(b->events.f, "agent", "holdover", 0);
    fprintf(b->events.f, "    <agentName>Holdover</agentName>\n    <agentType>software</agentType>\n    <agentVersion>%s</agentVersion>\n"
            "  </agent>\n</premis>\n", b->o->tool_version);
    fflush(b->events.f);
    fputs(b->events.bytes, b->objects.f);       /* the schema wants all objects first */
    fflush(b->objects.f);
    return text_put(b, "data/premis.xml", b->objects.bytes, err) && add(b, NULL, "data/premis.xml", NULL, err);
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
    return ok && (access(from, F_OK) || add(b, from, "data/guest.profile", NULL, err));
}

static bool bag_fill(struct bag *b, struct error *err)
{
    char path[PATH_MAX], info[1024];
    snprintf(path, sizeof(path), "%s/evidence/manifest.json", b->o->folder);
    b->manifest = json_load_file(path, 0, NULL);
    fprintf(b->objects.f, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<premis xmlns=\"http://www.loc.gov/premis/v3\" "
            "xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" version=\"3.0\">\n");
    if (!disks_add(b, err) || !evidence_add(b, err))
        return false;
    snprintf(info, sizeof(info), "Bag-Software-Agent: Holdover %s\nBagging-Date: %.10s\nExternal-Identifier: %s\nPayload-Oxum: %" PRIu64
             ".%" PRIu64 "\n", b->o->tool_version, b->date, b->o->name, b->bytes, b->files);
    fflush(b->list.f);
    if (!text_put(b, "manifest-sha256.txt", b->list.bytes, err) || !text_put(b, "bag-info.txt", info, err) ||
        !text_put(b, "bagit.txt", "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n", err))
        return false;
    long payload = ftell(b->list.f);            /* what follows is the list of the tag files */
    bool ok = add(b, NULL, "bagit.txt", NULL, err) && add(b, NULL, "bag-info.txt", NULL, err) && add(b, NULL, "manifest-sha256.txt", NULL, err);
    fflush(b->list.f);
    return ok && text_put(b, "tagmanifest-sha256.txt", b->list.bytes + payload, err);
}

bool export_bag(const struct bag_options *o, struct error *err)
{
    static const char *const folders[] = { "", "/data", "/data/evidence" };
    struct bag b = { .o = o };
    struct text *texts[] = { &b.list, &b.objects, &b.events };
    char path[PATH_MAX];
    time_t now = time(NULL);
    struct tm tm;
    bool ok = true;
    strftime(b.date, sizeof(b.date), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &tm));
    if (!access(o->to, F_OK))
        return error_set(err, EEXIST, "%s exists already; remove it or choose another name", o->to);
    if (snprintf(b.folder, sizeof(b.folder), "%s.part", o->to) >= (int)sizeof(b.folder))
        return error_set(err, ENAMETOOLONG, "the name of the bag is too long");
    for (size_t i = 0; i < 3; i++) {
        snprintf(path, sizeof(path), "%s%s", b.folder, folders[i]);
        if (mkdir(path, 0777))
            return error_set(err, errno, "cannot make the folder %s: %s", path, strerror(errno));
    }
    for (size_t i = 0; i < 3; i++)
        ok = (texts[i]->f = open_memstream(&texts[i]->bytes, &texts[i]->length)) && ok;
    ok = ok ? bag_fill(&b, err) : error_set(err, ENOMEM, "no memory for a bag");
    for (size_t i = 0; i < 3; i++) {
        if (texts[i]->f)
            fclose(texts[i]->f);
        free(texts[i]->bytes);
    }
    json_decref(b.manifest);
    if (ok && rename(b.folder, o->to))
        ok = error_set(err, errno, "cannot make %s: %s", o->to, strerror(errno));
    if (!ok)
        look_folder_remove(b.folder);
    return ok;
}
