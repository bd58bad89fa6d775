package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
)

// runPod runs the containers of a pod until they have ended, or the pod is
// deleted, or the node stops.
func (m *processMachine) runPod(ctx context.Context, p *corev1.Pod) {
	life, end := context.WithCancel(ctx)
	defer end()
	m.running.Go(func() { m.endWhenDeleted(life, p, end) })

	account, err := m.writeAccount(life, p)
	if err != nil {
		m.report(ctx, p, corev1.PodFailed, nil, err)
		return
	}
	var (
		containers sync.WaitGroup
		mutex      sync.Mutex
		statuses   = make([]corev1.ContainerStatus, len(p.Spec.Containers))
		phase      = corev1.PodRunning
	)
	for i, container := range p.Spec.Containers {
		containers.Go(func() {
			m.runContainer(life, p, container, account, func(status corev1.ContainerStatus) {
				mutex.Lock()
				defer mutex.Unlock()
				statuses[i] = status
				m.report(ctx, p, phase, statuses, nil)
			})
		})
	}
	containers.Wait()
	phase = corev1.PodSucceeded
	for _, status := range statuses {
		if status.State.Terminated == nil || status.State.Terminated.ExitCode != 0 {
			phase = corev1.PodFailed
		}
	}
	m.report(ctx, p, phase, statuses, nil)
	if life.Err() != nil && ctx.Err() == nil {
		var now int64
		// Somebody else may have done it already.
		_ = m.client.CoreV1().Pods(p.Namespace).Delete(ctx, p.Name, metav1.DeleteOptions{GracePeriodSeconds: &now})
	}
}

// endWhenDeleted watches over the life of a running pod.
func (m *processMachine) endWhenDeleted(ctx context.Context, p *corev1.Pod, end func()) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(500 * time.Millisecond):
		}
		now, err := m.client.CoreV1().Pods(p.Namespace).Get(ctx, p.Name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) || err == nil && (now.UID != p.UID || now.DeletionTimestamp != nil) {
			end()
		}
	}
}

// writeAccount writes the files that a pod finds in its account folder.
func (m *processMachine) writeAccount(ctx context.Context, p *corev1.Pod) (string, error) {
	token, err := m.client.CoreV1().ServiceAccounts(p.Namespace).CreateToken(ctx, p.Spec.ServiceAccountName, &authenticationv1.TokenRequest{
		Spec: authenticationv1.TokenRequestSpec{BoundObjectRef: &authenticationv1.BoundObjectReference{
			Kind: "Pod", APIVersion: "v1", Name: p.Name, UID: p.UID,
		}},
	}, metav1.CreateOptions{})
	if err != nil {
		return "", fmt.Errorf("requesting a token: %w", err)
	}
	folder := m.cluster.path(filepath.Join("pods", string(p.UID)))
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return "", fmt.Errorf("creating the account folder: %w", err)
	}
	for name, data := range map[string][]byte{
		"token":     []byte(token.Status.Token),
		"ca.crt":    m.cluster.authority.certPEM,
		"namespace": []byte(p.Namespace),
	} {
		if err := os.WriteFile(filepath.Join(folder, name), data, 0o600); err != nil {
			return "", fmt.Errorf("writing %s: %w", name, err)
		}
	}
	return folder, nil
}

// runContainer runs a program, again if the pod wants that, and reports each
// change.
func (m *processMachine) runContainer(ctx context.Context, p *corev1.Pod, container corev1.Container, account string, report func(corev1.ContainerStatus)) {
	status := corev1.ContainerStatus{Name: container.Name, Image: container.Image, ImageID: container.Image}
	for {
		started := metav1.Now()
		cmd, err := m.command(p, container, account)
		if err == nil {
			var running *process
			log := m.logPath(p.Namespace, p.Name, container.Name)
			if running, err = launch(container.Name, log, cmd); err == nil {
				m.processes.Store(log, running)
				status.Ready, status.Started = true, new(true)
				status.State = corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: started}}
				report(status)
				err = await(ctx, running, p.Spec.TerminationGracePeriodSeconds)
				m.processes.Delete(log)
			}
		}
		status.Ready, status.Started = false, new(false)
		status.State = corev1.ContainerState{Terminated: terminated(started, err)}
		if ctx.Err() != nil || p.Spec.RestartPolicy == corev1.RestartPolicyNever ||
			p.Spec.RestartPolicy == corev1.RestartPolicyOnFailure && status.State.Terminated.ExitCode == 0 {
			report(status)
			return
		}
		status.RestartCount++
		status.LastTerminationState = status.State
		report(status)
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
}

// await waits for a process to end, and makes it when the context is done.
func await(ctx context.Context, p *process, grace *int64) error {
	select {
	case <-p.done:
		return p.err
	case <-ctx.Done():
	}
	// The only possible error is that it has ended already.
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGTERM)
	patience := 30 * time.Second
	if grace != nil {
		patience = time.Duration(*grace) * time.Second
	}
	select {
	case <-p.done:
	case <-time.After(patience):
		p.kill()
	}
	return p.err
}

func terminated(started metav1.Time, err error) *corev1.ContainerStateTerminated {
	state := &corev1.ContainerStateTerminated{StartedAt: started, FinishedAt: metav1.Now(), Reason: "Completed"}
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		state.ExitCode, state.Reason, state.Message = int32(exit.ExitCode()), "Error", err.Error() //nolint:gosec // an exit code fits
	} else if err != nil && !errors.Is(err, errEnded) {
		state.ExitCode, state.Reason, state.Message = 128, "StartError", err.Error()
	}
	return state
}

// command is the program of a container, in namespaces where it is the wanted
// user and finds its account.
func (m *processMachine) command(p *corev1.Pod, container corev1.Container, account string) (*exec.Cmd, error) {
	program := container.Command
	for _, image := range m.cluster.options.Images {
		if image.Name == container.Image && (len(program) == 0 || program[0] == "/"+filepath.Base(image.Binary)) {
			program = append([]string{image.Binary}, program[min(1, len(program)):]...)
		}
	}
	if len(program) == 0 {
		return nil, fmt.Errorf("finding image %s: not among the node's images", container.Image)
	}
	host, port, err := net.SplitHostPort(m.cluster.address)
	if err != nil {
		return nil, fmt.Errorf("parsing the server's address: %w", err)
	}
	cmd := exec.Command(m.program, append(append([]string{"container", account}, program...), container.Args...)...) //nolint:gosec // running it is the purpose
	cmd.Dir = "/"
	cmd.Env = []string{"KUBERNETES_SERVICE_HOST=" + host, "KUBERNETES_SERVICE_PORT=" + port, "HOSTNAME=" + p.Name}
	for _, variable := range container.Env {
		value := variable.Value
		if variable.ValueFrom != nil && variable.ValueFrom.FieldRef != nil {
			value = map[string]string{
				"metadata.name":           p.Name,
				"metadata.namespace":      p.Namespace,
				"metadata.uid":            string(p.UID),
				"spec.nodeName":           p.Spec.NodeName,
				"spec.serviceAccountName": p.Spec.ServiceAccountName,
				"status.podIP":            "127.0.0.1",
			}[variable.ValueFrom.FieldRef.FieldPath]
		}
		cmd.Env = append(cmd.Env, variable.Name+"="+value)
	}
	const capSysAdmin = 21
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: userOf(p, container), HostID: os.Geteuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: userOf(p, container), HostID: os.Getegid(), Size: 1}},
		AmbientCaps: []uintptr{capSysAdmin}, // to mount the account; nodeinit drops it
	}
	return cmd, nil
}

func userOf(p *corev1.Pod, container corev1.Container) int {
	if c := container.SecurityContext; c != nil && c.RunAsUser != nil {
		return int(*c.RunAsUser)
	}
	if c := p.Spec.SecurityContext; c != nil && c.RunAsUser != nil {
		return int(*c.RunAsUser)
	}
	return 0
}

// report writes the status of a pod, unless the pod is gone. It waits for a
// server that is away: there may be no next change that would make up for it.
func (m *processMachine) report(ctx context.Context, p *corev1.Pod, phase corev1.PodPhase, containers []corev1.ContainerStatus, problem error) {
	// The only possible error is that the node stops.
	_ = wait.PollUntilContextCancel(ctx, 200*time.Millisecond, true, func(ctx context.Context) (bool, error) {
		now, err := m.client.CoreV1().Pods(p.Namespace).Get(ctx, p.Name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) || err == nil && now.UID != p.UID {
			return true, nil
		}
		if err == nil {
			now.Status = status(now.Status, phase, containers, problem)
			_, err = m.client.CoreV1().Pods(p.Namespace).UpdateStatus(ctx, now, metav1.UpdateOptions{})
		}
		return err == nil, nil
	})
}

// status is what a pod's status becomes.
func status(before corev1.PodStatus, phase corev1.PodPhase, containers []corev1.ContainerStatus, problem error) corev1.PodStatus {
	after := before
	ready := corev1.ConditionTrue
	for _, container := range containers {
		if !container.Ready {
			ready = corev1.ConditionFalse
		}
	}
	started := metav1.Now()
	after.Phase = phase
	after.StartTime = &started
	after.HostIP, after.PodIP = "127.0.0.1", "127.0.0.1"
	after.PodIPs = []corev1.PodIP{{IP: "127.0.0.1"}}
	after.ContainerStatuses = containers
	after.Conditions = nil
	for _, kind := range []corev1.PodConditionType{corev1.PodScheduled, corev1.PodInitialized} {
		after.Conditions = append(after.Conditions, corev1.PodCondition{Type: kind, Status: corev1.ConditionTrue})
	}
	for _, kind := range []corev1.PodConditionType{corev1.ContainersReady, corev1.PodReady} {
		after.Conditions = append(after.Conditions, corev1.PodCondition{Type: kind, Status: ready})
	}
	if problem != nil {
		after.Message = problem.Error()
	}
	return after
}
