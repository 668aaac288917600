package tasks

import (
	"context"
	"fmt"
	"time"

	"entrepot/app/mail"
)

// tell sends the alert of a run that ended, if somebody is to hear of it and mail is switched on.
func (s *Service) tell(ctx context.Context, d Definition, o Outcome) {
	bad := o.Result == Failed || o.Result == Interrupted
	if s.opts.Mail == nil || d.Alert.Email == "" || o.Result == Stopped || !bad && d.Alert.On != OnEnd {
		return
	}
	settings, found, err := s.opts.Mail.Settings(ctx)
	if err == nil && (!found || !settings.Enabled) {
		return
	}
	if err == nil {
		err = s.opts.Mail.Send(ctx, alert(d, o))
	}
	if err != nil {
		s.opts.Log.Error("alert of a task was not sent", "task", d.Name, "error", err)
	}
}

func alert(d Definition, o Outcome) mail.Message {
	verdict := map[Result]string{OK: "has run", Failed: "has failed", Interrupted: "was interrupted"}[o.Result]
	text := fmt.Sprintf("Task: %s\r\nType: %s\r\nStarted: %s\r\nDuration: %s\r\nResult: %s\r\n\r\n%s\r\n",
		d.Name, d.Type, o.Started.UTC().Format(time.RFC3339), o.Duration.Round(time.Millisecond), o.Result, o.Message)
	return mail.Message{To: d.Alert.Email, Subject: "Task " + d.Name + " " + verdict, Text: text}
}
