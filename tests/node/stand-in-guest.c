// Stands in for the guest in tests of what is below it: answers every connection by running what it reads in a shell.
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void)
{
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(7007)};
    signal(SIGCHLD, SIG_IGN);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 64)) return 3;
    for (;;) {
        static char text[65536];
        int peer = accept(listener, 0, 0);
        if (peer < 0) continue;
        if (fork() == 0) {
            ssize_t length = read(peer, text, sizeof text - 1);
            if (length <= 1) _exit(0);
            text[length] = 0;
            FILE *score = fopen("/proc/self/oom_score_adj", "w");
            if (score) { fputs("1000", score); fclose(score); }
            signal(SIGCHLD, SIG_DFL);
            dup2(peer, 1);
            dup2(peer, 2);
            close(peer);
            close(listener);
            close(0);
            if (text[0] == 'u' && (setgid(1000) || setuid(1000))) _exit(1);
            setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1);
            execl("/bin/sh", "sh", "-c", text + 1, (char *)0);
            _exit(1);
        }
        close(peer);
    }
}
