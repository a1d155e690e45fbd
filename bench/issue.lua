-- Posts the certificate requests of a file, one line a JSON body, each connection in its own order.
local bodies = {}
for line in io.lines(os.getenv("BODIES")) do
  bodies[#bodies + 1] = line
end
local token = os.getenv("TOKEN")
local turn = 0
local headers = { ["Content-Type"] = "application/json", ["Authorization"] = "Bearer " .. token }

function request()
  turn = turn % #bodies + 1
  return wrk.format("POST", "/api/v1/requests", headers, bodies[turn])
end

local threads = {}
function setup(thread) threads[#threads + 1] = thread end

local refused = 0
function response(status, _, body)
  if status ~= 201 then
    refused = refused + 1
    if refused == 1 then io.stderr:write(status .. " " .. body .. "\n") end
  end
end

function done(summary, latency, _)
  local out = string.format(
    '{"requests":%d,"seconds":%.3f,"p50_ms":%.3f,"p99_ms":%.3f,"not_2xx":%d,"socket_errors":%d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    summary.errors.status,
    summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout)
  io.write("JSON " .. out)
end
