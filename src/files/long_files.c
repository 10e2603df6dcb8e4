/*
 * files/long_files.c - files on their way to their readers; see long_files.h.
 *
 * Not by sendfile(2): it raises SIGPIPE when a reader has gone, which a library may neither
 * ignore nor catch for its process, and under TLS there is nothing to gain.
 *
 * Readers whose wire is free take turns: in each turn of the loop one has a few pieces,
 * and all together TURN_BYTES. Whoever takes nothing for STALLED_MS is dropped; who is slow
 * is not. What a client sends meanwhile stays in the socket.
 *
 * Owns: the open files, as long as somebody reads them, and the connections of readers.
 */
#include "files/long_files.h"

#include <errno.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/snapshot.h"
#include "http/http_access.h"
#include "http/http_detach.h"

#define PIECE_BYTES (16 * 1024) /* what a free wire takes whole, so that nothing is queued */
#define PIECES      8           /* for one reader in a turn */
#define TURN_BYTES  (1024 * 1024)
#define STALLED_MS  60000

/* One that is open, for all who read it. */
struct http_file {
	struct list node; /* service->files */
	struct stat meta;
	int fd;
	size_t readers;
};

struct file_reader {
	struct list node; /* service->readers, or service->free_readers while its wire is free */
	struct deferred deferred;
	struct stream stream;
	struct timer timer;
	struct file_service *service;
	struct http_file *file;
	struct addr peer;
	uint64_t offset; /* of what is read next */
	uint64_t taken;  /* by the client, when last looked at */
	bool keep_alive;
	struct http_access *access;
};

/* All of one server. */
struct file_service {
	struct http_service base;
	struct http_server *server;
	struct loop *loop;
	struct list files;
	struct list readers; /* their wire is full */
	struct list free_readers;
};

/* --- open files --------------------------------------------------------------- */

static bool is_same(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static struct http_file *find_file(struct file_service *service, const struct stat *meta)
{
	struct list *pos;

	list_foreach (pos, &service->files) {
		struct http_file *file = container_of(pos, struct http_file, node);

		if (is_same(&file->meta, meta))
			return file;
	}
	return NULL;
}

/* Takes `fd` over. NULL: out of memory. */
static struct http_file *file_ref(struct file_service *service, int fd, const struct stat *meta)
{
	struct http_file *file = find_file(service, meta);

	if (file) {
		close(fd);
	} else if ((file = mem_zalloc(sizeof(*file)))) {
		file->fd = fd;
		file->meta = *meta;
		list_append(&service->files, &file->node);
	} else {
		close(fd);
		return NULL;
	}
	file->readers++;
	return file;
}

static void file_unref(struct http_file *file)
{
	if (--file->readers > 0)
		return;
	list_remove(&file->node);
	close(file->fd);
	mem_free(file);
}

static uint64_t file_size(const struct http_file *file)
{
	return (uint64_t)file->meta.st_size;
}

/* What is at this place, up to n octets; 0 if the file has become shorter. */
static size_t file_read(const struct http_file *file, uint64_t at, char *to, size_t n)
{
	uint64_t left = file_size(file) - at;
	ssize_t got;

	do
		got = pread(file->fd, to, left < n ? (size_t)left : n, (off_t)at);
	while (got < 0 && errno == EINTR);
	return got < 0 ? 0 : (size_t)got;
}

/* --- readers ------------------------------------------------------------------ */

static void reader_free(struct deferred *d)
{
	mem_free(container_of(d, struct file_reader, deferred));
}

static void end(struct file_reader *f)
{
	stream_close(&f->stream);
	timer_stop(loop_timers(f->service->loop), &f->timer);
	list_remove(&f->node);
	http_server_hold(f->service->server, -1);
	if (f->access) {
		f->access->octets = f->offset;
		f->access->is_aborted = f->offset < file_size(f->file);
		http_access_tell(f->access, f->service->server);
		http_access_free(f->access);
	}
	file_unref(f->file);
	loop_defer(f->service->loop, &f->deferred, reader_free);
}

/* All of it has gone to the kernel. */
static void finish(struct file_reader *f)
{
	if (f->keep_alive && !http_server_is_draining(f->service->server))
		http_server_give_back(f->service->server, &f->stream, &f->peer, NULL);
	else
		http_server_end(f->service->server, &f->stream);
	end(f);
}

/* Octets that the client has taken, as far as its kernel has said so. */
static uint64_t taken(const struct file_reader *f)
{
	uint64_t waiting = stream_queued(&f->stream);
	int unacknowledged = 0;

	if (ioctl(f->stream.watch.fd, SIOCOUTQ, &unacknowledged) == 0)
		waiting += (uint64_t)unacknowledged;
	return f->offset > waiting ? f->offset - waiting : 0;
}

static void on_timer(struct timer *t)
{
	struct file_reader *f = container_of(t, struct file_reader, timer);
	uint64_t now = taken(f);

	if (now <= f->taken) {
		end(f);
		return;
	}
	f->taken = now;
	timer_start(loop_timers(f->service->loop), t, STALLED_MS);
}

/* It gets its turn, behind the others. */
static void wire_is_free(struct file_reader *f)
{
	list_remove(&f->node);
	list_append(&f->service->free_readers, &f->node);
	loop_want(f->service->loop, LOOP_STAGE_HTTP);
}

/* Sends what its wire takes of the next pieces: their octets. */
static size_t send_pieces(struct file_reader *f)
{
	char *scratch = loop_scratch(f->service->loop);
	struct stream_piece piece = { scratch, 0, NULL };
	size_t sent = 0;

	for (int i = 0; i < PIECES && f->offset < file_size(f->file); i++) {
		piece.n = file_read(f->file, f->offset, scratch, PIECE_BYTES);
		if (piece.n == 0 || stream_write(&f->stream, &piece, 1) < 0) {
			end(f);
			return sent;
		}
		f->offset += piece.n;
		sent += piece.n;
		if (stream_queued(&f->stream) > 0)
			return sent; /* on_writable() follows */
	}
	if (f->offset == file_size(f->file))
		finish(f);
	else
		wire_is_free(f);
	return sent;
}

static void run(struct http_service *base)
{
	struct file_service *service = container_of(base, struct file_service, base);
	size_t left = TURN_BYTES;
	struct list now, *node;

	list_init(&now);
	list_splice(&now, &service->free_readers);
	while (left > 0 && (node = list_first(&now))) {
		size_t sent;

		list_remove(node);
		list_append(&service->readers, node);
		sent = send_pieces(container_of(node, struct file_reader, node));
		left -= sent < left ? sent : left;
	}
	list_splice(&now, &service->free_readers); /* whose turn has not come go first */
	list_splice(&service->free_readers, &now);
	if (!list_empty(&service->free_readers))
		loop_again(service->loop);
}

static void on_writable(struct stream *s)
{
	wire_is_free(container_of(s, struct file_reader, stream));
}

static void on_hangup(struct stream *s, int err)
{
	(void)err;
	end(container_of(s, struct file_reader, stream));
}

/* Nothing is wanted of it, so this does not happen. */
static void on_readable(struct stream *s)
{
	(void)s;
}

static const struct stream_events reader_events = {
	.readable = on_readable,
	.writable = on_writable,
	.hangup = on_hangup,
};

static int write_head(struct file_reader *f, const struct http_head *head)
{
	char text[HTTP_HEAD_MAX + HTTP_HEAD_EXTRA];
	struct stream_piece piece = { text, 0, NULL };

	piece.n = http_head_render(text, head->status, (struct bytes){ head->text, head->len },
	    (struct http_framing){
	        .keep_alive = f->keep_alive, .length = (long long)file_size(f->file) });
	return stream_write(&f->stream, &piece, 1);
}

/* False: out of memory, and the file is still the caller's. */
static bool reader_new(struct file_service *service, struct http_request *r,
    const struct http_head *head, struct http_file *file)
{
	struct file_reader *f = mem_zalloc(sizeof(*f));

	if (!f)
		return false;
	f->peer = *http_request_peer(r);
	f->keep_alive = http_comes_back(r);
	f->access = http_access_keep(r);
	if (f->access)
		f->access->status = head->status;
	if (http_detach(r, &f->stream, service->loop, &reader_events) < 0) {
		http_access_free(f->access);
		mem_free(f);
		return false;
	}
	f->service = service;
	f->file = file;
	timer_init(&f->timer, on_timer);
	timer_start(loop_timers(service->loop), &f->timer, STALLED_MS);
	list_append(&service->readers, &f->node);
	http_server_hold(service->server, 1);
	if (write_head(f, head) < 0)
		end(f);
	else if (stream_queued(&f->stream) == 0)
		wire_is_free(f);
	return true;
}

static void end_all(struct http_service *base)
{
	struct file_service *service = container_of(base, struct file_service, base);
	struct list *node;

	list_splice(&service->readers, &service->free_readers);
	while ((node = list_first(&service->readers)))
		end(container_of(node, struct file_reader, node));
	mem_free(service);
}

/* Made when it is first needed. NULL: out of memory. */
static struct file_service *service_of(struct http_server *server)
{
	struct http_service *there = http_server_service(server);
	struct file_service *service;

	if (there)
		return container_of(there, struct file_service, base);
	service = mem_zalloc(sizeof(*service));
	if (!service)
		return NULL;
	service->base = (struct http_service){ run, end_all };
	service->server = server;
	service->loop = http_server_loop(server);
	list_init(&service->files);
	list_init(&service->readers);
	list_init(&service->free_readers);
	http_server_set_service(server, &service->base);
	return service;
}

/* --- those that are read whole -------------------------------------------------- */

static void respond_whole(struct http_request *r, const struct http_head *head, int fd, size_t size)
{
	char *data = loop_scratch(http_server_loop(http_request_server(r)));
	ssize_t n = pread(fd, data, size, 0);

	close(fd);
	if (n == (ssize_t)size)
		http_respond(r, head, (struct bytes){ data, size });
	else
		http_respond_text(r, 500, "The file could not be read.");
}

void http_respond_file(
    struct http_request *r, const struct http_head *head, int fd, const struct stat *meta)
{
	struct file_service *service;
	struct http_file *file;

	if (http_request_method(r) == HTTP_HEAD) {
		close(fd);
		http_respond(r, head, (struct bytes){ NULL, (size_t)meta->st_size });
		return;
	}
	if (meta->st_size <= PIECE_BYTES) {
		respond_whole(r, head, fd, (size_t)meta->st_size);
		return;
	}
	service = service_of(http_request_server(r));
	if (!service) {
		close(fd);
		http_respond_text(r, 503, "Out of memory.");
		return;
	}
	file = file_ref(service, fd, meta);
	if (file && reader_new(service, r, head, file))
		return;
	if (file)
		file_unref(file);
	http_respond_text(r, 503, "Out of memory.");
}

/* --- for another process ---------------------------------------------------------- */

static void state_snapshot(struct file_reader *f, struct snapshot *s)
{
	uint64_t due = snapshot_u64(s, timer_is_active(&f->timer) ? f->timer.deadline : 0),
	         now = loop_now(f->service->loop);

	f->peer = addr_snapshot(s, f->peer);
	SNAPSHOT(s, u64, f->offset);
	SNAPSHOT(s, u64, f->taken);
	SNAPSHOT(s, bool, f->keep_alive);
	stream_snapshot(&f->stream, s, f->service->loop, &reader_events);
	if (s->is_reading)
		timer_start(loop_timers(f->service->loop), &f->timer, due > now ? due - now : 0);
}

static struct http_file *read_file(struct file_service *service, struct snapshot *s)
{
	int fd = snapshot_fd(s, -1);
	struct http_file *file;
	struct stat meta;

	if (!snapshot_check(s, fd >= 0 && fstat(fd, &meta) == 0 && S_ISREG(meta.st_mode))) {
		if (fd >= 0)
			close(fd);
		return NULL;
	}
	file = file_ref(service, fd, &meta);
	if (!file)
		snapshot_fail(s, -ENOMEM);
	return file;
}

static void read_reader(struct file_service *service, struct snapshot *s)
{
	struct http_file *file = read_file(service, s);
	struct file_reader *f = file ? mem_zalloc(sizeof(*f)) : NULL;

	if (!f) {
		snapshot_fail(s, -ENOMEM);
		if (file)
			file_unref(file);
		return;
	}
	f->service = service;
	f->file = file;
	timer_init(&f->timer, on_timer);
	list_append(&service->readers, &f->node);
	http_server_hold(service->server, 1);
	state_snapshot(f, s);
	if (!snapshot_check(s, stream_is_open(&f->stream) && f->offset <= file_size(file)))
		end(f);
	else if (stream_queued(&f->stream) == 0)
		wire_is_free(f);
}

static void write_readers(const struct list *readers, struct snapshot *s)
{
	struct list *pos;

	list_foreach (pos, readers) {
		struct file_reader *f = container_of(pos, struct file_reader, node);

		snapshot_more(s, true);
		snapshot_fd(s, f->file->fd);
		state_snapshot(f, s);
	}
}

static void write_all(const struct http_service *there, struct snapshot *s)
{
	const struct file_service *service =
	    there ? container_of(there, struct file_service, base) : NULL;

	if (service) {
		write_readers(&service->readers, s);
		write_readers(&service->free_readers, s);
	}
	snapshot_more(s, false);
}

static void read_all(struct http_server *server, struct snapshot *s)
{
	while (snapshot_more(s, false)) {
		struct file_service *service = service_of(server);

		if (service)
			read_reader(service, s);
		else
			snapshot_fail(s, -ENOMEM);
	}
}

void long_files_snapshot(struct http_server *server, struct snapshot *s)
{
	if (!snapshot_enter(s, "FILE", 1))
		return;
	if (s->is_reading)
		read_all(server, s);
	else
		write_all(http_server_service(server), s);
	snapshot_leave(s);
}
