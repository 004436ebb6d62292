// Command model-tools lets a model call two tools on behalf of an agent. The model
// is not trusted: it chooses calls, and the broker's claims decide which are made.
// Any OpenAI-compatible server will do: set LLM_BASE_URL, LLM_API_KEY, LLM_MODEL.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"os"
	"strings"

	"github.com/sashabaranov/go-openai"

	"github.com/devonartis/medassist-go/agentwrit"
)

// A tool is a function with the scope that a call requires.
type tool struct{ name, description, scope, result string }

var tools = []tool{
	{"read_record", "Read a patient's record.", "read:records:", "The patient is well."},
	{"write_note", "Add a note to a patient's record.", "write:notes:", "The note was saved."},
}

const schema = `{"type":"object","properties":{"patient_id":{"type":"string"},"text":{"type":"string"}},"required":["patient_id"]}`

func main() {
	request := "Summarize the record of patient P-1042."
	if len(os.Args) > 1 {
		request = strings.Join(os.Args[1:], " ")
	}
	if err := run(context.Background(), request); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, request string) (err error) {
	app, err := agentwrit.NewApp(os.Getenv("AGENTWRIT_BROKER_URL"), os.Getenv("AGENTWRIT_CLIENT_ID"), os.Getenv("AGENTWRIT_CLIENT_SECRET"))
	if err != nil {
		return err
	}
	defer app.Close()
	agent, err := app.CreateAgent(ctx, agentwrit.AgentRequest{
		OrchID: "examples", TaskID: "model-tools", Scope: []string{"read:records:P-1042", "write:notes:P-1042"},
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, agent.Release(ctx)) }()

	server := openai.DefaultConfig(os.Getenv("LLM_API_KEY"))
	server.BaseURL = os.Getenv("LLM_BASE_URL")
	model := openai.NewClientWithConfig(server)
	chat := openai.ChatCompletionRequest{
		Model:    os.Getenv("LLM_MODEL"),
		Messages: []openai.ChatCompletionMessage{{Role: openai.ChatMessageRoleUser, Content: request}},
	}
	for _, t := range tools {
		chat.Tools = append(chat.Tools, openai.Tool{Type: openai.ToolTypeFunction,
			Function: &openai.FunctionDefinition{Name: t.name, Description: t.description, Parameters: json.RawMessage(schema)}})
	}
	for range 10 { // turns
		reply, err := model.CreateChatCompletion(ctx, chat)
		if err != nil {
			return err
		}
		if len(reply.Choices) == 0 {
			return errors.New("the model sent no reply")
		}
		message := reply.Choices[0].Message
		if len(message.ToolCalls) == 0 {
			fmt.Println(message.Content)
			return nil
		}
		chat.Messages = append(chat.Messages, message)
		for _, call := range message.ToolCalls {
			result := handle(ctx, app, agent, call.Function)
			fmt.Printf("%s %s: %s\n", call.Function.Name, call.Function.Arguments, result)
			chat.Messages = append(chat.Messages, openai.ChatCompletionMessage{Role: openai.ChatMessageRoleTool, ToolCallID: call.ID, Content: result})
		}
	}
	return errors.New("the model did not stop calling tools")
}

// handle makes a call if the agent's token covers it. The claims come from the
// broker, so that a revoked or an expired token allows nothing.
func handle(ctx context.Context, app *agentwrit.App, agent *agentwrit.Agent, call openai.FunctionCall) string {
	var args struct {
		PatientID string `json:"patient_id"`
	}
	if err := json.Unmarshal([]byte(call.Arguments), &args); err != nil {
		return "error: the arguments are not JSON"
	}
	for _, t := range tools {
		if t.name != call.Name {
			continue
		}
		claims, err := app.Validate(ctx, agent.AccessToken())
		if err != nil {
			return "denied: " + err.Error()
		}
		if missing := agentwrit.MissingScopes([]string{t.scope + args.PatientID}, claims.Scope); len(missing) > 0 {
			return "denied: the agent lacks " + strings.Join(missing, ", ")
		}
		return t.result
	}
	return "error: there is no such tool"
}
