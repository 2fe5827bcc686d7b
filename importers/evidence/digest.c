#include "importers/evidence/digest.h"
#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>

bool digest_begin(struct digest *d, struct error *err)
{
    d->context = EVP_MD_CTX_new();
    if (d->context && EVP_DigestInit_ex(d->context, EVP_sha256(), NULL))
        return true;
    digest_end(d, NULL);
    return error_set(err, ENOMEM, "libcrypto has no SHA-256 here");
}

void digest_add(struct digest *d, const void *bytes, size_t length)
{
    EVP_DigestUpdate(d->context, bytes, length);
}

void digest_end(struct digest *d, char hex[65])
{
    unsigned char sum[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    if (hex && d->context && EVP_DigestFinal_ex(d->context, sum, &length))
        for (unsigned i = 0; i < length && i < 32; i++)
            sprintf(hex + i * 2, "%02x", sum[i]);
    EVP_MD_CTX_free(d->context);
    d->context = NULL;
}
