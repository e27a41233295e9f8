// SPDX-License-Identifier: GPL-2.0-or-later
//
// A client of FRR's northbound service, in a hurry; tests/bench/grpc.py runs
// it. Made from FRR's own proto file: it can't tell whose server it talks to.
//
// grpc_load loop TARGET RELAY FIRST SECONDS
//
//   For so long: a candidate, an edit of RELAY's description and drain time,
//   commit, get, and the candidate is deleted. The values have a number, which
//   goes up from FIRST. What is got must be what was committed last: else it
//   counts as lost, or as torn where only one of the two is.
//
// grpc_load get TARGET TYPE PATH CALLS SECONDS
//
//   Nothing but Get, as often as CALLS, but no longer than SECONDS.
//
// grpc_load stop TARGET TYPE PATH TIMES
//
//   One Get with PATH so many times. Stops itself (SIGSTOP) at the first
//   answer; when it is continued, reads the others.
//
// Each prints "ready" once it is connected and has warmed up, and begins with a
// line on its standard input; then prints one line of JSON. Times are in
// microseconds, as [time, how often].

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <map>
#include <memory>
#include <string>

#include <grpcpp/grpcpp.h>

#include "grpc/frr-northbound.grpc.pb.h"

using frr::Northbound;
using grpc::ClientContext;
using grpc::Status;

namespace
{

using Clock = std::chrono::steady_clock;

constexpr unsigned int DRAIN_TIMES = 601;
constexpr int CALL_S = 30, CONNECT_S = 30, WARM_UP = 20;

double seconds_since(Clock::time_point began)
{
	return std::chrono::duration<double>(Clock::now() - began).count();
}

std::string quoted(const std::string &text)
{
	std::string out = "\"";

	for (char c : text) {
		if (c == '"' || c == '\\')
			out += '\\';
		out += static_cast<unsigned char>(c) < ' ' ? ' ' : c;
	}
	return out + "\"";
}

// Times to within a hundredth, so that there are few of them.
class Times
{
      public:
	void add(double seconds)
	{
		uint64_t us = seconds * 1e6, shift = 0;

		while (us >> shift >= 256)
			shift++;
		found[us >> shift << shift]++;
	}

	std::string json() const
	{
		std::string out;

		for (auto &[us, count] : found)
			out += (out.empty() ? "[" : ",[") + std::to_string(us) +
			       "," + std::to_string(count) + "]";
		return "[" + out + "]";
	}

      private:
	std::map<uint64_t, uint64_t> found;
};

template <typename Value, typename Print>
std::string object(const std::map<std::string, Value> &values, Print print)
{
	std::string out;

	for (auto &[name, value] : values)
		out += (out.empty() ? "" : ",") + quoted(name) + ":" +
		       print(value);
	return "{" + out + "}";
}

struct Report {
	std::map<std::string, Times> calls;
	std::map<std::string, uint64_t> errors;

	std::string json() const
	{
		return "\"calls\":" +
		       object(calls, [](auto &times) { return times.json(); }) +
		       ",\"errors\":" + object(errors, [](auto count) {
			       return std::to_string(count);
		       });
	}
};

class Client
{
      public:
	explicit Client(const std::string &target)
	{
		grpc::ChannelArguments args;

		// the whole of an answer, and a connection of its own
		args.SetMaxReceiveMessageSize(-1);
		args.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
		auto channel = grpc::CreateCustomChannel(
			target, grpc::InsecureChannelCredentials(), args);
		if (!channel->WaitForConnected(
			    std::chrono::system_clock::now() +
			    std::chrono::seconds(CONNECT_S))) {
			std::cerr << "no connection to " << target << "\n";
			exit(1);
		}
		stub = Northbound::NewStub(channel);
	}

	// What is done is done in time, is counted, and so is its error.
	template <typename Call> bool call(const char *name, Call make)
	{
		auto began = Clock::now();
		ClientContext context;

		context.set_deadline(std::chrono::system_clock::now() +
				     std::chrono::seconds(CALL_S));
		Status status = make(&context);
		report.calls[name].add(seconds_since(began));
		if (status.ok())
			return true;
		report.errors[std::string(name) + " " +
			      std::to_string(status.error_code()) + ": " +
			      status.error_message()]++;
		return false;
	}

	bool get(frr::GetRequest::DataType type, const std::string &path,
		 std::string *data)
	{
		return call("Get", [&](ClientContext *context) {
			frr::GetRequest request;
			frr::GetResponse response;

			request.set_type(type);
			request.add_path(path);
			auto reader = stub->Get(context, request);
			while (reader->Read(&response))
				*data = response.data().data();
			return reader->Finish();
		});
	}

	std::unique_ptr<Northbound::Stub> stub;
	Report report;
};

frr::GetRequest::DataType data_type(const std::string &name)
{
	frr::GetRequest::DataType type;

	if (!frr::GetRequest::DataType_Parse(name, &type)) {
		std::cerr << "no type of data: " << name << "\n";
		exit(1);
	}
	return type;
}

void wait_for_start()
{
	std::string line;

	std::cout << "ready" << std::endl;
	std::getline(std::cin, line);
}

// ---------------------------------------------------------------------- loop

class Editor : public Client
{
      public:
	Editor(const std::string &target, const std::string &relay,
	       uint64_t first)
	    : Client(target), relay(relay), number(first),
	      path("/frr-relay:relay/instance[name='" + relay + "']")
	{
	}

	void turn()
	{
		frr::CreateCandidateResponse created;
		frr::DeleteCandidateResponse deleted;

		if (!call("CreateCandidate", [&](ClientContext *context) {
			    return stub->CreateCandidate(context, {}, &created);
		    }))
			return;
		edit(created.candidate_id());
		call("DeleteCandidate", [&](ClientContext *context) {
			frr::DeleteCandidateRequest request;

			request.set_candidate_id(created.candidate_id());
			return stub->DeleteCandidate(context, request,
						     &deleted);
		});
	}

	uint64_t commits = 0, lost = 0, torn = 0, acknowledged = 0;

      private:
	std::string description() const
	{
		return relay + "-" + std::to_string(number);
	}

	static void update(frr::EditCandidateRequest *request,
			   const std::string &path, const std::string &value)
	{
		auto pair = request->add_update();

		pair->set_path(path);
		pair->set_value(value);
	}

	void edit(uint32_t candidate)
	{
		frr::EditCandidateResponse edited;
		frr::CommitResponse committed;
		std::string data;

		number++;
		if (!call("EditCandidate", [&](ClientContext *context) {
			    frr::EditCandidateRequest request;

			    request.set_candidate_id(candidate);
			    update(&request, path + "/description",
				   description());
			    update(&request, path + "/drain-time",
				   std::to_string(number % DRAIN_TIMES));
			    return stub->EditCandidate(context, request,
						       &edited);
		    }))
			return;
		if (!call("Commit", [&](ClientContext *context) {
			    frr::CommitRequest request;

			    request.set_candidate_id(candidate);
			    request.set_phase(frr::CommitRequest::ALL);
			    request.set_comment(description());
			    return stub->Commit(context, request, &committed);
		    }))
			return;
		commits++;
		acknowledged = number;
		if (get(frr::GetRequest::CONFIG, path, &data))
			judge(data);
	}

	// FRR's module answers with other relays behind the one, and leaves out
	// what is at its default.
	void judge(const std::string &data)
	{
		auto name = data.find("\"name\"");
		size_t at;

		while (name != std::string::npos &&
		       text_at(data, name) != relay)
			name = data.find("\"name\"", name + 1);
		auto end = name == std::string::npos
				   ? name
				   : data.find("\"name\"", name + 1);
		auto instance = name == std::string::npos
					? ""
					: data.substr(name, end - name);
		at = instance.find("\"description\"");
		bool first = at != std::string::npos &&
			     text_at(instance, at) == description();
		at = instance.find("\"drain-time\"");
		unsigned long drain =
			at == std::string::npos
				? 5
				: strtoul(instance.c_str() +
						  instance.find(':', at) + 1,
					  nullptr, 10);
		bool second = drain == number % DRAIN_TIMES;
		if (first != second)
			torn++;
		else if (!first)
			lost++;
	}

	// the string that belongs to a key
	static std::string text_at(const std::string &data, size_t key)
	{
		auto begin = data.find('"', data.find(':', key));

		return begin == std::string::npos
			       ? ""
			       : data.substr(begin + 1,
					     data.find('"', begin + 1) - begin -
						     1);
	}

	const std::string relay;
	uint64_t number;
	const std::string path;
};

int loop(const std::string &target, const std::string &relay, uint64_t first,
	 double seconds)
{
	Editor editor(target, relay, first);

	for (int i = 0; i < WARM_UP; i++)
		editor.turn();
	editor.report = {};
	editor.commits = editor.lost = editor.torn = 0;
	wait_for_start();
	auto began = Clock::now();
	while (seconds_since(began) < seconds)
		editor.turn();
	double took = seconds_since(began);
	std::cout << "{\"seconds\":" << took
		  << ",\"commits\":" << editor.commits
		  << ",\"lost\":" << editor.lost << ",\"torn\":" << editor.torn
		  << ",\"acknowledged\":" << editor.acknowledged << ","
		  << editor.report.json() << "}" << std::endl;
	return 0;
}

// ----------------------------------------------------------------------- get

int get(const std::string &target, const std::string &type,
	const std::string &path, uint64_t calls, double seconds)
{
	Client client(target);
	std::string data;
	uint64_t done = 0;

	for (int i = 0; i < WARM_UP; i++)
		client.get(data_type(type), path, &data);
	client.report = {};
	wait_for_start();
	auto began = Clock::now();
	while (done < calls && seconds_since(began) < seconds) {
		client.get(data_type(type), path, &data);
		done++;
	}
	double took = seconds_since(began);
	std::cout << "{\"seconds\":" << took << ",\"gets\":" << done
		  << ",\"octets\":" << data.size() << ","
		  << client.report.json() << "}" << std::endl;
	return 0;
}

// ---------------------------------------------------------------------- stop

int stop(const std::string &target, const std::string &type,
	 const std::string &path, int times)
{
	Client client(target);
	uint64_t messages = 0, octets = 0;

	wait_for_start();
	client.call("Get", [&](ClientContext *context) {
		frr::GetRequest request;
		frr::GetResponse response;

		request.set_type(data_type(type));
		for (int i = 0; i < times; i++)
			request.add_path(path);
		auto reader = client.stub->Get(context, request);
		while (reader->Read(&response)) {
			if (messages++ == 0)
				raise(SIGSTOP);
			octets += response.data().data().size();
		}
		return reader->Finish();
	});
	std::cout << "{\"messages\":" << messages << ",\"octets\":" << octets
		  << "," << client.report.json() << "}" << std::endl;
	return 0;
}

} // namespace

int main(int argc, char **argv)
{
	std::string what = argc > 1 ? argv[1] : "";

	if (what == "loop" && argc == 6)
		return loop(argv[2], argv[3], strtoull(argv[4], nullptr, 10),
			    strtod(argv[5], nullptr));
	if (what == "get" && argc == 7)
		return get(argv[2], argv[3], argv[4],
			   strtoull(argv[5], nullptr, 10),
			   strtod(argv[6], nullptr));
	if (what == "stop" && argc == 6)
		return stop(argv[2], argv[3], argv[4], atoi(argv[5]));
	std::cerr << "grpc_load loop|get|stop, see its source\n";
	return 1;
}
