/*
 * examples/chat.c - rooms. The room is named by the query string of the URL,
 * http://HOST/chat?room=tea, or else by the client's first message.
 *
 *	./examples/chat [ADDRESS]
 *
 * A room is a group: what one member says is encoded once and reaches all of
 * them, on whatever threads and by whatever transports they came. Rooms are
 * found under a lock, because any thread may open one; the lock is held for a
 * look-up, never while sending.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sockjs.h>

#define NAME_MAX_BYTES 32
#define ROOMS_MAX      1000

struct room {
	struct room *next;
	struct sockjs_group *members;
	unsigned guests; /* sessions that hold the room */
	char name[NAME_MAX_BYTES + 1];
};

struct chat {
	struct sockjs_server *server;
	pthread_mutex_t lock; /* guards the list and each room's guests */
	struct room *rooms;
	unsigned count;
};

static struct chat chat = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* --- rooms ------------------------------------------------------------------------------------ */

static struct room *find(const char *name, size_t len)
{
	struct room *r;

	for (r = chat.rooms; r; r = r->next)
		if (strlen(r->name) == len && memcmp(r->name, name, len) == 0)
			return r;
	return NULL;
}

static struct room *create(const char *name, size_t len)
{
	struct room *r;

	if (chat.count == ROOMS_MAX || !(r = calloc(1, sizeof(*r))))
		return NULL;
	if (!(r->members = sockjs_group_new(chat.server))) {
		free(r);
		return NULL;
	}
	memcpy(r->name, name, len);
	r->next = chat.rooms;
	chat.rooms = r;
	chat.count++;
	return r;
}

/* The room of that name, with one guest more; NULL if there can be none. */
static struct room *enter(const char *name, size_t len)
{
	struct room *r = NULL;

	if (len == 0 || len > NAME_MAX_BYTES || memchr(name, '\0', len))
		return NULL;
	pthread_mutex_lock(&chat.lock);
	if (!(r = find(name, len)))
		r = create(name, len);
	if (r)
		r->guests++;
	pthread_mutex_unlock(&chat.lock);
	return r;
}

static void leave(struct room *r)
{
	struct room **p;

	pthread_mutex_lock(&chat.lock);
	if (--r->guests == 0) {
		for (p = &chat.rooms; *p != r; p = &(*p)->next)
			;
		*p = r->next;
		chat.count--;
		sockjs_group_free(r->members);
		free(r);
	}
	pthread_mutex_unlock(&chat.lock);
}

/* --- callbacks ---------------------------------------------------------------------------------
 */

/* The value of room=... in a query string; names are taken as they stand there. */
static struct room *room_of_query(const char *query)
{
	while (query && strncmp(query, "room=", 5) != 0)
		if ((query = strchr(query, '&')) != NULL)
			query++;
	return query ? enter(query + 5, strcspn(query + 5, "&")) : NULL;
}

static int on_handshake(struct sockjs_handshake *h, void *app)
{
	(void)app;
	sockjs_handshake_set_user(h, room_of_query(sockjs_handshake_query(h)));
	return 0;
}

static void join(struct sockjs_session *s, struct room *r)
{
	static const char welcome[] = "* welcome";

	if (sockjs_group_join(r->members, s) < 0)
		sockjs_close(s, 4000, "Out of memory");
	else
		sockjs_send(s, welcome, strlen(welcome));
}

static void on_open(struct sockjs_session *s, void *app)
{
	(void)app;
	if (sockjs_user(s))
		join(s, sockjs_user(s));
}

static void on_message(struct sockjs_session *s, const struct sockjs_message *m, void *app)
{
	struct room *r = sockjs_user(s);

	(void)app;
	if (r) {
		sockjs_group_send(r->members, m->data, m->len);
	} else if ((r = enter(m->data, m->len)) != NULL) {
		sockjs_set_user(s, r);
		join(s, r);
	} else {
		sockjs_close(s, 4004, "No such room");
	}
}

static void on_close(struct sockjs_session *s, unsigned code, const char *reason, void *app)
{
	(void)code, (void)reason, (void)app;
	if (sockjs_user(s))
		leave(sockjs_user(s));
}

/* --- main --------------------------------------------------------------------------------------
 */

static void on_signal(int signo)
{
	(void)signo;
	sockjs_server_stop(chat.server);
}

int main(int argc, char **argv)
{
	static const struct sockjs_callbacks callbacks = {
		.handshake = on_handshake,
		.open = on_open,
		.message = on_message,
		.close = on_close,
	};
	struct sockjs_options *options = sockjs_options_new();
	int err;

	if (!options || !(chat.server = sockjs_server_new(NULL)))
		return 1;
	sockjs_options_set(options, "max_message_bytes", "4096");
	sockjs_options_set(options, "allowed_origins", "*"); /* of any page: better name yours */
	if (sockjs_server_add(chat.server, "/chat", &callbacks, NULL, options) < 0 ||
	    sockjs_server_listen(chat.server, argc > 1 ? argv[1] : "127.0.0.1:8081", NULL) < 0) {
		fprintf(stderr, "%s\n", sockjs_server_error(chat.server));
		return 1;
	}
	sockjs_options_free(options);
	signal(SIGINT, on_signal);
	signal(SIGTERM, on_signal);
	printf("listening on %s\n", sockjs_server_url(chat.server, 0));
	fflush(stdout);
	err = sockjs_server_run(chat.server);
	sockjs_server_free(chat.server);
	return err < 0;
}
