package llm

import (
	"net"
	"net/url"
	"strings"
)

// Vendor names the product that serves a model, as far as its address tells.
// It only selects advice; nothing is sent differently because of it, but for
// the header that Azure wants its key in.
type Vendor string

// The vendors for which there is advice of their own.
const (
	VendorUnknown    Vendor = ""
	VendorLlamaCpp   Vendor = "llama.cpp"
	VendorOllama     Vendor = "Ollama"
	VendorVLLM       Vendor = "vLLM"
	VendorLMStudio   Vendor = "LM Studio"
	VendorLiteLLM    Vendor = "LiteLLM"
	VendorOpenAI     Vendor = "OpenAI"
	VendorAzure      Vendor = "Azure"
	VendorGemini     Vendor = "Gemini"
	VendorMistral    Vendor = "Mistral"
	VendorDeepSeek   Vendor = "DeepSeek"
	VendorGroq       Vendor = "Groq"
	VendorOpenRouter Vendor = "OpenRouter"
)

// hosts and ports by which vendors are recognized. The ports are the defaults
// of local servers.
var (
	vendorHosts = []struct {
		suffix string
		vendor Vendor
	}{
		{"openai.azure.com", VendorAzure}, {"azure.com", VendorAzure}, {"openai.com", VendorOpenAI}, {"googleapis.com", VendorGemini},
		{"mistral.ai", VendorMistral}, {"deepseek.com", VendorDeepSeek}, {"groq.com", VendorGroq}, {"openrouter.ai", VendorOpenRouter},
	}
	vendorPorts = map[string]Vendor{"11434": VendorOllama, "1234": VendorLMStudio, "4000": VendorLiteLLM, "8080": VendorLlamaCpp, "8000": VendorVLLM}
	vendorNames = map[string]Vendor{"ollama": VendorOllama, "vllm": VendorVLLM, "litellm": VendorLiteLLM, "llama": VendorLlamaCpp, "lmstudio": VendorLMStudio}
)

// vendorAt guesses the vendor from the server's address.
func vendorAt(base *url.URL) Vendor {
	host := strings.ToLower(base.Hostname())
	for _, v := range vendorHosts {
		if host == v.suffix || strings.HasSuffix(host, "."+v.suffix) {
			return v.vendor
		}
	}
	if v, ok := vendorNames[strings.Split(host, ".")[0]]; ok { // a service's name in Docker Compose
		return v
	}
	if ip := net.ParseIP(host); host == "localhost" || ip != nil && (ip.IsLoopback() || ip.IsPrivate()) {
		return vendorPorts[base.Port()]
	}
	return VendorUnknown
}

// problem is something that the user can set right at the server.
type problem string

const (
	problemToolParser problem = "tool calls arrive as text"
	problemTools      problem = "the model sees no tools"
	problemContext    problem = "the context is too small"
	problemBuffered   problem = "the reply arrives in one piece"
)

// remedies says what to do about a problem; under VendorUnknown, for a server
// that was not recognized.
var remedies = map[problem]map[Vendor]string{
	problemToolParser: {
		VendorUnknown:    "llama.cpp: start it with --jinja and a chat template that has tools. vLLM: set --enable-auto-tool-choice and --tool-call-parser. Ollama: use a model that is listed with tools.",
		VendorLlamaCpp:   "Start llama-server with --jinja and a chat template that has tools (--chat-template-file).",
		VendorOllama:     "Use a model that ollama.com lists with tools, such as qwen3 or llama3.1, and update Ollama.",
		VendorVLLM:       "Start vLLM with --enable-auto-tool-choice and the --tool-call-parser of this model (hermes, mistral, llama3_json, qwen3_coder …).",
		VendorLMStudio:   "Use a model that LM Studio marks with the tool badge, and update its runtime.",
		VendorLiteLLM:    "Set supports_function_calling in the model_info of LiteLLM's configuration, and check the server behind it.",
		VendorOpenRouter: "Choose a model whose page lists tools, and set provider preferences to providers that support them.",
	},
	problemTools: {
		VendorUnknown:    "Use a model whose chat template has tools. llama.cpp: --jinja. vLLM: --enable-auto-tool-choice. Ollama: a model listed with tools. LM Studio: the tool badge.",
		VendorLlamaCpp:   "Start llama-server with --jinja, and with a chat template that has tools (--chat-template-file) if the model's own has none.",
		VendorOllama:     "Use a model that ollama.com lists with tools, such as qwen3 or llama3.1.",
		VendorVLLM:       "Start vLLM with --enable-auto-tool-choice and --tool-call-parser, and with a --chat-template that has tools.",
		VendorLMStudio:   "Use a model that LM Studio marks with the tool badge.",
		VendorLiteLLM:    "Remove drop_params for tools from LiteLLM's configuration, and use a model that supports them.",
		VendorOpenAI:     "Use a model that supports function calling, such as gpt-4o-mini.",
		VendorAzure:      "Deploy a model that supports function calling, such as gpt-4o-mini.",
		VendorGemini:     "Use a gemini-2 model or later.",
		VendorMistral:    "Use mistral-small or mistral-large.",
		VendorDeepSeek:   "Use deepseek-chat.",
		VendorGroq:       "Use a model that Groq's documentation lists under tool use.",
		VendorOpenRouter: "Choose a model whose page lists tools among its supported parameters.",
	},
	problemContext: {
		VendorUnknown:    "An encounter needs 8,192 tokens. llama.cpp: -c 8192. Ollama: OLLAMA_CONTEXT_LENGTH=8192. vLLM: --max-model-len 8192. LM Studio: the context length in the model's settings.",
		VendorLlamaCpp:   "Start llama-server with -c 8192 or more; with --parallel N, each slot gets an Nth of it.",
		VendorOllama:     "Start Ollama with OLLAMA_CONTEXT_LENGTH=8192, or set num_ctx in a Modelfile. Its default of 4,096 silently drops the beginning.",
		VendorVLLM:       "Start vLLM with --max-model-len 8192 or more.",
		VendorLMStudio:   "Raise the context length in the model's settings to 8,192 and load it again.",
		VendorLiteLLM:    "Raise the context of the server behind LiteLLM to 8,192 tokens.",
		VendorOpenAI:     "Use a model with a larger context, or make a narrower request.",
		VendorAzure:      "Use a deployment with a larger context, or make a narrower request.",
		VendorGemini:     "Use a model with a larger context, or make a narrower request.",
		VendorMistral:    "Use a model with a larger context, or make a narrower request.",
		VendorDeepSeek:   "Make a narrower request.",
		VendorGroq:       "Use a model with a larger context, or make a narrower request.",
		VendorOpenRouter: "Choose a model or provider with a context of 8,192 tokens or more.",
	},
	problemBuffered: {
		VendorUnknown:    "The server, or a proxy in front of it, does not stream: the page shows the answer only once it is complete. In nginx: proxy_buffering off.",
		VendorLlamaCpp:   "Update llama-server, or check the proxy in front of it (nginx: proxy_buffering off).",
		VendorOllama:     "Update Ollama: before 0.8 it did not stream when tools were offered.",
		VendorVLLM:       "Check the proxy in front of vLLM (nginx: proxy_buffering off), and its --tool-call-parser.",
		VendorLMStudio:   "Update LM Studio, or check the proxy in front of it.",
		VendorLiteLLM:    "Set fake_stream to false for the model in LiteLLM's configuration.",
		VendorAzure:      "Set the deployment's content filter to asynchronous: the default one holds text back.",
		VendorOpenAI:     "Check the proxy in between (nginx: proxy_buffering off).",
		VendorGemini:     "Short answers arrive in one piece; otherwise check the proxy in between.",
		VendorMistral:    "Check the proxy in between (nginx: proxy_buffering off).",
		VendorDeepSeek:   "Check the proxy in between (nginx: proxy_buffering off).",
		VendorGroq:       "Groq answers so fast that this does not matter; otherwise check the proxy in between.",
		VendorOpenRouter: "Choose another provider for the model: some do not stream.",
	},
}

// advice returns what to do about a problem on a vendor's server.
func advice(v Vendor, p problem) string {
	if text, ok := remedies[p][v]; ok {
		return text
	}
	return remedies[p][VendorUnknown]
}

// Advice for callers that look at a model's behaviour, such as the preflight.
type Advice struct{ vendor Vendor }

// AdviceFor returns the advice for the server of a model.
func AdviceFor(m Model) Advice {
	if v, ok := m.(interface{ Vendor() Vendor }); ok {
		return Advice{v.Vendor()}
	}
	return Advice{}
}

// NoTools returns what to do if the model is not shown the tools.
func (a Advice) NoTools() string { return advice(a.vendor, problemTools) }

// SmallContext returns what to do if the conversation does not fit.
func (a Advice) SmallContext() string { return advice(a.vendor, problemContext) }

// Buffered returns what to do if replies arrive in one piece.
func (a Advice) Buffered() string { return advice(a.vendor, problemBuffered) }
