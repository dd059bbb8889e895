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

// cpuTime is user and system time of processes, all their threads.
func cpuTime(pids []int) time.Duration {
	var total time.Duration
	for _, pid := range pids {
		total += cpuTimeOf(pid)
	}
	return total
}

func cpuTimeOf(pid int) time.Duration {
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
