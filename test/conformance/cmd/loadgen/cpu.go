package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

const (
	ticksPerSecond = 100 // USER_HZ, the same on every Linux architecture etcd runs on
	userField      = 11  // counted from the field after the command name
	systemField    = 12
)

// cpuTime is user and system time of a process, all its threads; zero without a process id.
func cpuTime(pid int) time.Duration {
	if pid == 0 {
		return 0
	}
	body, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	must(err)
	// The command name stands in parentheses and may hold blanks.
	fields := strings.Fields(string(body[strings.LastIndexByte(string(body), ')')+1:]))
	user, err := strconv.ParseInt(fields[userField], 10, 64)
	must(err)
	system, err := strconv.ParseInt(fields[systemField], 10, 64)
	must(err)
	return time.Duration(user+system) * time.Second / ticksPerSecond
}
