/* Runs a program and meddles with what it asks of the file system: one call fails, or all from one on, or something happens before it.
 *
 * The kernel asks this process about every such call of that one and its children (seccomp's user notification, Linux 5.5 or later), so no
 * right is needed, and calls that go past the C library are seen too. Exit: that of the program; 125 where the kernel does not take part.
 *
 *   meddler -w PATH... [-k KINDS] [-n N] [-e ERRNO | -h | -x COMMAND] [-s] [-l LOG] -- PROGRAM ARGUMENT...
 *
 *   -w  counts calls about this path, or what lies below it
 *   -k  counts only these kinds of calls, each between commas, as ",write,sync,"
 *   -n  meddles with the N-th call that counts: 1 is the first
 *   -s  meddles with all that follow, too
 *   -e  has it fail with this number
 *   -h  has it write half of what it was given
 *   -x  has a shell run this first
 *   -l  writes a line for every call that counts: its number, its kind, its paths, and "!" where it was meddled with
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define UNABLE 125
#define NONE (-1)

/* Where in a call's arguments its paths are: of a path its number, and of the directory that it is relative to; of an open file its number. */
struct call {
    int number;
    const char *kind;
    int directory, path, other_directory, other_path, flags;
};

static const struct call CALLS[] = {
#ifdef __NR_open
    { __NR_open, "open", NONE, 0, NONE, NONE, 1 },
    { __NR_creat, "create", NONE, 0, NONE, NONE, NONE },
    { __NR_stat, "stat", NONE, 0, NONE, NONE, NONE },
    { __NR_lstat, "stat", NONE, 0, NONE, NONE, NONE },
    { __NR_mkdir, "mkdir", NONE, 0, NONE, NONE, NONE },
    { __NR_rmdir, "unlink", NONE, 0, NONE, NONE, NONE },
    { __NR_unlink, "unlink", NONE, 0, NONE, NONE, NONE },
    { __NR_rename, "rename", NONE, 0, NONE, 1, NONE },
    { __NR_link, "link", NONE, 0, NONE, 1, NONE },
    { __NR_symlink, "link", NONE, 1, NONE, NONE, NONE },
    { __NR_chmod, "chmod", NONE, 0, NONE, NONE, NONE },
#endif
#ifdef __NR_renameat
    { __NR_renameat, "rename", 0, 1, 2, 3, NONE },
#endif
    { __NR_openat, "open", 0, 1, NONE, NONE, 2 },
    { __NR_statx, "stat", 0, 1, NONE, NONE, NONE },
    { __NR_newfstatat, "stat", 0, 1, NONE, NONE, NONE },
    { __NR_mkdirat, "mkdir", 0, 1, NONE, NONE, NONE },
    { __NR_unlinkat, "unlink", 0, 1, NONE, NONE, NONE },
    { __NR_renameat2, "rename", 0, 1, 2, 3, NONE },
    { __NR_linkat, "link", 0, 1, 2, 3, NONE },
    { __NR_symlinkat, "link", 1, 2, NONE, NONE, NONE },
    { __NR_fchmodat, "chmod", 0, 1, NONE, NONE, NONE },
    { __NR_fstat, "stat", 0, NONE, NONE, NONE, NONE },
    { __NR_fchmod, "chmod", 0, NONE, NONE, NONE, NONE },
    { __NR_read, "read", 0, NONE, NONE, NONE, NONE },
    { __NR_pread64, "read", 0, NONE, NONE, NONE, NONE },
    { __NR_readv, "read", 0, NONE, NONE, NONE, NONE },
    { __NR_getdents64, "list", 0, NONE, NONE, NONE, NONE },
    { __NR_write, "write", 0, NONE, NONE, NONE, NONE },
    { __NR_pwrite64, "write", 0, NONE, NONE, NONE, NONE },
    { __NR_writev, "write", 0, NONE, NONE, NONE, NONE },
    { __NR_copy_file_range, "copy", 0, NONE, 2, NONE, NONE },
    { __NR_sendfile, "copy", 0, NONE, 1, NONE, NONE },
    { __NR_ftruncate, "truncate", 0, NONE, NONE, NONE, NONE },
    { __NR_fallocate, "truncate", 0, NONE, NONE, NONE, NONE },
    { __NR_fsync, "sync", 0, NONE, NONE, NONE, NONE },
    { __NR_fdatasync, "sync", 0, NONE, NONE, NONE, NONE },
    { __NR_flock, "lock", 0, NONE, NONE, NONE, NONE },
    { __NR_fsetxattr, "xattr", 0, NONE, NONE, NONE, NONE },
    { __NR_fgetxattr, "getxattr", 0, NONE, NONE, NONE, NONE },
};
#define COUNT (sizeof CALLS / sizeof *CALLS)

static const char *watched[16];
static int watches, sticky, half, fault;
static const char *kinds, *command;
static long wanted, counted;
static FILE *log_file;

static void unable(const char *what) {
    fprintf(stderr, "meddler: %s: %s\n", what, strerror(errno));
    exit(UNABLE);
}

/* Says whether calls of a kind count. */
static int counts(const char *kind) {
    char listed[32];
    snprintf(listed, sizeof listed, ",%s,", kind);
    return !kinds || strstr(kinds, listed);
}

/* Has the kernel ask about every call that may count; returns what it asks by. */
static int install(void) {
    struct sock_filter filter[COUNT + 3];
    int numbers[COUNT];
    unsigned asked = 0, length = 0;
    for (unsigned i = 0; i < COUNT; i++)
        if (counts(CALLS[i].kind) || (CALLS[i].flags != NONE && counts("create")))
            numbers[asked++] = CALLS[i].number;
    filter[length++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    for (unsigned i = 0; i < asked; i++)
        filter[length++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, numbers[i], asked - i, 0);
    filter[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    filter[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF);
    struct sock_fprog program = { length, filter };
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
        unable("prctl");
    int listener = syscall(__NR_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
    if (listener < 0)
        unable("seccomp");
    return listener;
}

static void pass(int socket, int file) {
    char byte = 0, space[CMSG_SPACE(sizeof file)] = { 0 };
    struct iovec part = { &byte, 1 };
    struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = space, .msg_controllen = sizeof space };
    struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    *head = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof file), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS };
    memcpy(CMSG_DATA(head), &file, sizeof file);
    if (sendmsg(socket, &message, 0) < 0)
        unable("sendmsg");
}

static int take(int socket) {
    int file;
    char byte, space[CMSG_SPACE(sizeof file)];
    struct iovec part = { &byte, 1 };
    struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = space, .msg_controllen = sizeof space };
    if (recvmsg(socket, &message, 0) <= 0 || !CMSG_FIRSTHDR(&message))
        return NONE;
    memcpy(&file, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof file);
    return file;
}

static ssize_t remember(unsigned process, unsigned long address, char *bytes, size_t most) {
    char name[64];
    snprintf(name, sizeof name, "/proc/%u/mem", process);
    int memory = open(name, O_RDONLY | O_CLOEXEC);
    ssize_t got = memory < 0 ? -1 : pread(memory, bytes, most, (off_t)address);
    if (memory >= 0)
        close(memory);
    return got;
}

static void path_of_file(unsigned process, int file, char *path) {
    char name[64];
    if (file == AT_FDCWD)
        snprintf(name, sizeof name, "/proc/%u/cwd", process);
    else
        snprintf(name, sizeof name, "/proc/%u/fd/%d", process, file);
    ssize_t length = readlink(name, path, PATH_MAX - 1);
    path[length < 0 ? 0 : length] = 0;
}

/* Takes "." and ".." out of a path, as if no link were on it. */
static void straighten(char *path) {
    char *end = path;
    for (char *at = path; *at;) {
        char *next = strchr(at + 1, '/');
        size_t length = next ? (size_t)(next - at) : strlen(at);
        if (length == 3 && !strncmp(at, "/..", 3)) {
            while (end > path && *--end != '/')
                ;
        } else if (length > 1 && !(length == 2 && !strncmp(at, "/.", 2))) {
            memmove(end, at, length);
            end += length;
        }
        at += length;
    }
    *end = 0;
}

static void path_of(const struct seccomp_notif *asked, int directory, int path, char *found) {
    *found = 0;
    int file = directory == NONE ? AT_FDCWD : (int)asked->data.args[directory];
    char text[PATH_MAX] = "";
    if (path != NONE) {
        /* A path near the end of a page is read up to there. */
        unsigned long address = asked->data.args[path], rest = 4096 - address % 4096;
        ssize_t got = remember(asked->pid, address, text, rest);
        if (got == (ssize_t)rest && !memchr(text, 0, rest) && rest < PATH_MAX - 1)
            got = rest + remember(asked->pid, address + rest, text + rest, PATH_MAX - 1 - rest);
        if (got <= 0)
            *text = 0;
        text[PATH_MAX - 1] = 0;
    }
    if (*text == '/')
        strcpy(found, text);
    else
        path_of_file(asked->pid, file, found);
    if (*text && *text != '/') {
        strcat(found, "/");
        strcat(found, text);
    }
    straighten(found);
}

static int is_watched(const char *path) {
    for (int i = 0; i < watches; i++) {
        size_t length = strlen(watched[i]);
        if (!strncmp(path, watched[i], length) && (path[length] == '/' || !path[length] || path[length] == ' '))
            return 1;
    }
    return 0;
}

/* Writes half of what the call would, and returns how much that was; less than one byte is not half. */
static long write_half(const struct seccomp_notif *asked) {
    size_t size = asked->data.args[2] / 2;
    if (asked->data.nr != __NR_write || !size)
        return 0;
    char name[64], line[256], *bytes = malloc(size);
    /* Who asks is a thread, and only its process can be opened. */
    int leader = asked->pid;
    snprintf(name, sizeof name, "/proc/%u/status", asked->pid);
    FILE *status = fopen(name, "re");
    while (status && fgets(line, sizeof line, status) && sscanf(line, "Tgid: %d", &leader) != 1)
        continue;
    if (status)
        fclose(status);
    int process = syscall(__NR_pidfd_open, leader, 0);
    int file = process < 0 ? -1 : (int)syscall(__NR_pidfd_getfd, process, (int)asked->data.args[0], 0);
    long done = 0;
    if (file >= 0 && remember(asked->pid, asked->data.args[1], bytes, size) == (ssize_t)size)
        done = write(file, bytes, size);
    if (file >= 0)
        close(file);
    if (process >= 0)
        close(process);
    free(bytes);
    return done > 0 ? done : 0;
}

static void answer(int listener, struct seccomp_notif *asked) {
    struct seccomp_notif_resp reply = { .id = asked->id, .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE };
    const struct call *call = NULL;
    for (unsigned i = 0; i < COUNT && !call; i++)
        if (CALLS[i].number == asked->data.nr)
            call = &CALLS[i];
    static char one[PATH_MAX * 2], other[PATH_MAX * 2];
    path_of(asked, call->directory, call->path, one);
    *other = 0;
    if (call->other_path != NONE || call->other_directory != NONE)
        path_of(asked, call->other_directory, call->other_path, other);
    const char *kind = call->kind;
    if (call->flags != NONE && asked->data.args[call->flags] & (O_CREAT | O_WRONLY | O_RDWR | O_TRUNC))
        kind = "create";
    if ((is_watched(one) || is_watched(other)) && counts(kind)) {
        counted++;
        int meddles = wanted && (counted == wanted || (sticky && counted > wanted));
        long halved = meddles && half ? write_half(asked) : 0;
        if (half && !halved)
            meddles = 0; /* There was nothing to halve. */
        if (log_file)
            fprintf(log_file, "%ld\t%s\t%s\t%s\t%s\n", counted, kind, one, other, meddles ? "!" : "");
        if (meddles && command) {
            if (system(command))
                fprintf(stderr, "meddler: the command failed: %s\n", command);
        } else if (meddles && half) {
            reply.val = halved;
            reply.flags = 0;
        } else if (meddles) {
            reply.flags = 0;
            reply.error = -fault;
        }
    }
    ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &reply);
}

int main(int count, char **arguments) {
    int option, sockets[2], status = 0;
    while ((option = getopt(count, arguments, "+w:k:n:e:hx:sl:")) != -1) {
        switch (option) {
        case 'w': if (watches < 16) watched[watches++] = optarg; break;
        case 'k': kinds = optarg; break;
        case 'n': wanted = atol(optarg); break;
        case 'e': fault = atoi(optarg); break;
        case 'h': half = 1; break;
        case 'x': command = optarg; break;
        case 's': sticky = 1; break;
        case 'l': log_file = fopen(optarg, "we"); break;
        default: return UNABLE;
        }
    }
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets))
        unable("socketpair");
    pid_t child = fork();
    if (child < 0)
        unable("fork");
    if (!child) {
        int listener = install();
        pass(sockets[1], listener);
        fcntl(listener, F_SETFD, FD_CLOEXEC);
        execv(arguments[optind], arguments + optind);
        unable(arguments[optind]);
    }
    close(sockets[1]);
    int listener = take(sockets[0]);
    if (listener < 0) {
        waitpid(child, &status, 0);
        return UNABLE;
    }
    struct seccomp_notif_sizes sizes = { 0 };
    syscall(__NR_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &sizes);
    size_t size = sizes.seccomp_notif > sizeof(struct seccomp_notif) ? sizes.seccomp_notif : sizeof(struct seccomp_notif);
    struct seccomp_notif *asked = malloc(size);
    int ended = 0;
    for (;;) {
        struct pollfd ready = { listener, POLLIN, 0 };
        int found = poll(&ready, 1, 100);
        if (found > 0 && ready.revents & POLLIN) {
            memset(asked, 0, size);
            if (!ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, asked))
                answer(listener, asked);
        } else if (found > 0) {
            break; /* Nobody is left who could be asked about. */
        } else if (ended || waitpid(child, &status, WNOHANG) == child) {
            /* Before Linux 5.9 nobody says that all have ended. */
            if (ended++)
                break;
        }
    }
    if (!ended)
        waitpid(child, &status, 0);
    if (log_file)
        fclose(log_file);
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
