/*
 * nats/nats_login.c - who we are to a server; see nats_login.h.
 */
#include "nats/nats_login.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "nats/nats_json.h"
#include "nats/nats_write.h"

enum { FILE_MAX = 64 * 1024 };

/* --- files -------------------------------------------------------------------------- */

void nats_login_wipe(struct buf *b)
{
	if (b->data)
		OPENSSL_cleanse(b->data, b->cap);
	buf_fini(b);
}

static int read_all(int fd, struct buf *out)
{
	char *at = buf_reserve(out, FILE_MAX + 1);
	ssize_t n;

	if (!at)
		return -ENOMEM;
	do {
		n = read(fd, out->data + out->end, FILE_MAX + 1 - buf_len(out));
		if (n > 0)
			buf_commit(out, (size_t)n);
	} while (n > 0 && buf_len(out) <= FILE_MAX);
	if (n < 0)
		return -errno;
	return buf_len(out) > FILE_MAX ? -EFBIG : 0;
}

static int read_file(const char *file, struct buf *out)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK), err;

	if (fd < 0)
		return -errno;
	err = read_all(fd, out);
	close(fd);
	return err;
}

static struct bytes trim(struct bytes b)
{
	while (b.n > 0 && (unsigned char)b.p[0] <= ' ')
		b.p++, b.n--;
	while (b.n > 0 && (unsigned char)b.p[b.n - 1] <= ' ')
		b.n--;
	return b;
}

/* The seed may stand between lines of dashes, as it does in credentials. */
static int read_key(struct nats_secret *s, struct bytes text, bool is_creds, const char **why)
{
	struct bytes jwt = { NULL, 0 }, seed = trim(text);
	int err;

	if (is_creds && nats_creds_parse(text, &jwt, &seed) < 0) {
		*why = "these are no credentials: there is no JWT, or no seed";
		return -EINVAL;
	}
	if (!utf8_is_valid(jwt.p, jwt.n)) {
		*why = "the JWT is not UTF-8";
		return -EINVAL;
	}
	err = nats_nkey_new(&s->key, seed, why);
	if (err == 0 && is_creds && !(s->jwt = mem_strndup(jwt.p, jwt.n))) {
		*why = "out of memory";
		err = -ENOMEM;
	}
	return err;
}

static bool can_be_said(const struct nats_login *login)
{
	return nats_json_can_say(login->user) && nats_json_can_say(login->password) &&
	       nats_json_can_say(login->token);
}

int nats_login_load(
    struct nats_secret *secret, const struct nats_login *login, char *why, size_t why_size)
{
	const char *file = login->creds_file ? login->creds_file : login->seed_file;
	struct nats_secret fresh = { 0 };
	struct buf text = BUF_INIT;
	const char *wrong = NULL;
	int err;

	if (!can_be_said(login)) {
		snprintf(why, why_size, "the user, the password or the token is not UTF-8");
		return -EINVAL;
	}
	if (!file)
		return 0;
	err = read_file(file, &text);
	if (err < 0)
		wrong = strerror(-err);
	else
		err = read_key(&fresh, (struct bytes){ buf_data(&text), buf_len(&text) },
		    login->creds_file != NULL, &wrong);
	nats_login_wipe(&text);
	if (err < 0) {
		snprintf(why, why_size, "%s: %s", file, wrong);
		nats_secret_fini(&fresh);
		return err;
	}
	nats_secret_fini(secret);
	*secret = fresh;
	return 0;
}

void nats_secret_fini(struct nats_secret *s)
{
	nats_nkey_free(s->key);
	if (s->jwt)
		OPENSSL_cleanse(s->jwt, strlen(s->jwt));
	mem_free(s->jwt);
	*s = (struct nats_secret){ 0 };
}

/* --- CONNECT ------------------------------------------------------------------------ */

/* A value that is NULL is left out. */
static int set_text(json_t *object, const char *key, const char *value)
{
	return !value || json_object_set_new(object, key, json_string(value)) == 0 ? 0 : -ENOMEM;
}

static int sign(json_t *object, const struct nats_nkey *key, const char *nonce)
{
	char signature[NATS_NKEY_SIGNATURE_LEN + 1];
	int err = nats_nkey_sign(key, bytes_of(nonce), signature);

	return err < 0 ? err : set_text(object, "sig", signature);
}

static int add_secret(json_t *object, const struct nats_secret *s, const char *nonce)
{
	int err;

	if (!s->key)
		return 0;
	if (!nonce[0])
		return -EINVAL;
	err = s->jwt ? set_text(object, "jwt", s->jwt)
	             : set_text(object, "nkey", nats_nkey_public(s->key));
	return err < 0 ? err : sign(object, s->key, nonce);
}

static json_t *new_object(const struct nats_hello *hello)
{
	return json_pack("{s:b, s:b, s:b, s:b, s:b, s:b, s:i, s:s, s:s, s:s}", "verbose", 0,
	    "pedantic", 0, "headers", 1, "no_responders", 1, "echo", hello->wants_echo,
	    "tls_required", hello->is_tls, "protocol", 1, "lang", "c", "version", hello->version,
	    "name", hello->name);
}

static int fill(json_t *object, const struct nats_login *login, const struct nats_secret *secret,
    const struct nats_hello *hello)
{
	int err = set_text(object, "user", login->user);

	if (err == 0)
		err = set_text(object, "pass", login->password);
	if (err == 0)
		err = set_text(object, "auth_token", login->token);
	return err < 0 ? err : add_secret(object, secret, hello->nonce);
}

int nats_login_write(struct buf *out, const struct nats_login *login,
    const struct nats_secret *secret, const struct nats_hello *hello)
{
	json_t *object = new_object(hello);
	char *json = NULL;
	int err = object ? fill(object, login, secret, hello) : -ENOMEM;

	if (err == 0 && !(json = nats_json_write(object)))
		err = -ENOMEM;
	if (err == 0)
		err = nats_write_connect(out, bytes_of(json));
	if (json)
		OPENSSL_cleanse(json, strlen(json));
	mem_free(json);
	json_decref(object);
	return err;
}
